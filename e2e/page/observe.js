// Runs in every page under test before its own code: reads frame marks off the painted videos, listens for tones, and stands in for camera and
// microphone where the browser cannot play a file (Firefox). It knows the page only by `[data-testid=tile]` and `window.__madang.room`.
(() => {
  const COLUMNS = 16;
  const MARK_ROWS = 3;
  const now = () => performance.timeOrigin + performance.now();

  // source: a video, or a frame of one.
  const readMark = (source, sourceWidth, sourceHeight, canvas) => {
    if (!sourceWidth) return null;
    const [width, height] = [160, 30];
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(source, 0, 0, sourceWidth, (sourceHeight * MARK_ROWS) / 9, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const rows = [0, 0, 0];
    for (let r = 0; r < MARK_ROWS; r += 1) {
      for (let c = 0; c < COLUMNS; c += 1) {
        let sum = 0;
        for (let y = 3; y < 7; y += 1) for (let x = 3; x < 7; x += 1) sum += data[((r * 10 + y) * width + c * 10 + x) * 4 + 1];
        rows[r] = rows[r] * 2 + (sum / 16 > 128 ? 1 : 0);
      }
    }
    return (~(rows[0] ^ rows[1]) & 0xffff) === rows[2] ? rows[0] * 65536 + rows[1] : -1;
  };

  const stamp = (context, width, height, id) => {
    const [high, low] = [Math.floor(id / 65536) & 0xffff, id & 0xffff];
    [high, low, ~(high ^ low) & 0xffff].forEach((row, r) => {
      for (let c = 0; c < COLUMNS; c += 1) {
        context.fillStyle = (row >> (15 - c)) & 1 ? '#fff' : '#000';
        const [left, top] = [Math.floor((c * width) / COLUMNS), Math.floor((r * height) / 9)];
        context.fillRect(left, top, Math.ceil(width / COLUMNS) + 1, Math.ceil(height / 9) + 1);
      }
    });
  };

  // One log per tile, kept over a change of its video element: the frames that the page was given, and the times at which it painted one.
  // Chromium paints in steps of its own (33 ms without a graphics card, and at times one frame for two that it has), so where a page can
  // read the frames of a track itself, they are what is looked at; elsewhere, what is painted.
  const logs = new Map();
  const watched = new WeakSet();
  const readsTracks = typeof MediaStreamTrackProcessor === 'function';

  const readTrack = async (track, log, isCurrent) => {
    const canvas = document.createElement('canvas');
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 4 }).readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const [w, h] = [frame.displayWidth, frame.displayHeight];
      const id = readMark(frame, w, h, canvas);
      frame.close();
      if (!isCurrent()) return void reader.cancel();
      if (id !== null) log.frames.push({ id, t: now(), w });
    }
  };

  const watch = (video, log) => {
    const canvas = document.createElement('canvas');
    let current;
    const step = () => {
      log.painted.push(now());
      if (readsTracks) follow();
      else {
        const id = readMark(video, video.videoWidth, video.videoHeight, canvas);
        if (id !== null) log.frames.push({ id, t: now(), w: video.videoWidth });
      }
      video.requestVideoFrameCallback(step);
    };
    const follow = () => {
      const [track] = video.srcObject?.getVideoTracks() ?? [];
      if (!track || track === current) return;
      current = track;
      readTrack(track, log, () => current === track && watched.has(video) && log.video === video).catch((error) => console.error(`frames of a track: ${error}`));
    };
    log.video = video;
    video.requestVideoFrameCallback(step);
  };
  const look = () => {
    for (const tile of document.querySelectorAll('[data-testid="tile"]')) {
      const video = tile.querySelector('video');
      if (!video || watched.has(video)) continue;
      watched.add(video);
      const key = `${tile.dataset.identity}/${tile.dataset.source}`;
      if (!logs.has(key)) logs.set(key, { frames: [], painted: [] });
      watch(video, logs.get(key));
    }
  };
  setInterval(look, 50);

  let audio;

  const levelDb = (samples, rate, frequency) => {
    const n = samples.length;
    const k = 2 * Math.cos((2 * Math.PI * frequency) / rate);
    let [a, b] = [0, 0];
    for (let i = 0; i < n; i += 1) {
      const c = samples[i] * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1))) + k * a - b;
      b = a;
      a = c;
    }
    return 20 * Math.log10((4 * Math.sqrt(Math.max(a * a + b * b - k * a * b, 1e-20))) / n + 1e-9);
  };

  const remoteAudio = (identity) => {
    const participant = window.__madang?.room?.remoteParticipants.get(identity);
    for (const publication of participant?.audioTrackPublications.values() ?? []) {
      if (publication.track?.mediaStreamTrack) return publication.track.mediaStreamTrack;
    }
    return null;
  };

  const loudest = (levels, samples, rate) => {
    for (const f of Object.keys(levels)) levels[f] = Math.max(levels[f], levelDb(samples, rate, Number(f)));
  };

  const listenLive = async (stream, levels, ms) => {
    const analyser = audio.createAnalyser();
    analyser.fftSize = 4096;
    const source = audio.createMediaStreamSource(stream);
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const end = now() + ms;
    while (now() < end) {
      await new Promise((done) => setTimeout(done, 40));
      analyser.getFloatTimeDomainData(samples);
      loudest(levels, samples, audio.sampleRate);
    }
    source.disconnect();
  };

  // Firefox never starts an AudioContext on a machine without a sound card; it records and decodes all the same.
  const listenRecorded = async (stream, levels, ms) => {
    const recorder = new MediaRecorder(stream);
    const chunks = [];
    recorder.ondataavailable = ({ data }) => chunks.push(data);
    recorder.start();
    await new Promise((done) => setTimeout(done, ms));
    await new Promise((done) => {
      recorder.onstop = done;
      recorder.stop();
    });
    const decoded = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(await new Blob(chunks).arrayBuffer());
    const samples = decoded.getChannelData(0);
    for (let at = 0; at + 4096 <= samples.length; at += 2048) loudest(levels, samples.subarray(at, at + 4096), decoded.sampleRate);
  };

  // The loudest moment of each frequency within `ms`; null while there is no track of that participant.
  const hear = async (identity, frequencies, ms) => {
    const track = remoteAudio(identity);
    if (!track) return null;
    audio ??= new AudioContext();
    if (audio.state !== 'running') await Promise.race([audio.resume(), new Promise((done) => setTimeout(done, 300))]);
    const levels = Object.fromEntries(frequencies.map((f) => [f, -180]));
    await (audio.state === 'running' ? listenLive : listenRecorded)(new MediaStream([track]), levels, ms);
    return levels;
  };

  // A camera made of a canvas; what the canvas drew when is the log of frames sent.
  const sentLog = [];
  const canvasCamera = ({ sender, width, height, fps }) => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height });
    const g = canvas.getContext('2d');
    let n = 0;
    const draw = () => {
      g.fillStyle = `hsl(${(n * 7) % 360} 60% 45%)`;
      g.fillRect(0, 0, width, height);
      g.fillStyle = '#888';
      g.fillRect((n * 5) % width, height * 0.5, height / 4, height / 4);
      const id = sender * 65536 + (n & 0xffff);
      stamp(g, width, height, id);
      sentLog.push({ id, t: now(), w: width });
      n += 1;
    };
    draw();
    setInterval(draw, 1000 / fps);
    return canvas.captureStream().getVideoTracks()[0];
  };
  // Only the camera is replaced: the browser's own fake microphone plays a tone already.
  const standIn = ({ sender, width = 640, height = 360, fps = 15 }) => {
    if (!navigator.mediaDevices) return;
    const plain = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = constraints?.audio ? await plain({ audio: true }) : new MediaStream();
      if (constraints?.video) stream.addTrack(canvasCamera({ sender, width, height, fps }));
      return stream;
    };
  };

  // A person who says no when the browser asks. (A flag of this browser would say yes for him.)
  const refuse = () => {
    if (!navigator.mediaDevices) return;
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  };

  // Every frame of every signalling socket, for the diagnosis of a failure.
  const signals = [];
  const record = () => {
    const Plain = window.WebSocket;
    window.WebSocket = class extends Plain {
      constructor(...args) {
        super(...args);
        const [url] = args;
        signals.push({ t: now(), way: 'open', url: String(url) });
        this.addEventListener('message', ({ data }) => signals.push({ t: now(), way: '<', data }));
        this.addEventListener('close', ({ code, reason }) => signals.push({ t: now(), way: 'close', code, reason }));
      }

      send(data) {
        signals.push({ t: now(), way: '>', data });
        super.send(data);
      }
    };
  };
  const dumpSignals = async () => {
    const out = [];
    for (const { data, ...rest } of signals) {
      const bytes = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data instanceof ArrayBuffer ? new Uint8Array(data) : ArrayBuffer.isView(data) ? data : undefined;
      out.push({ ...rest, ...(bytes ? { data: btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join('')) } : typeof data === 'string' ? { text: data } : {}) });
    }
    return out;
  };

  window.__e2e = {
    now,
    readMark,
    logs,
    hear,
    standIn,
    refuse,
    record,
    dumpSignals,
    frames: (key, since = 0) => (logs.get(key)?.frames ?? []).filter((frame) => frame.t >= since),
    painted: (key, since = 0) => (logs.get(key)?.painted ?? []).filter((t) => t >= since).length,
    sent: (key, since = 0) => (sentLog.length > 0 ? sentLog : (logs.get(key)?.frames ?? [])).filter((frame) => frame.t >= since),
  };
})();
