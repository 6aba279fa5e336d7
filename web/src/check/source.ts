/** What the check sends: a painted picture and a tone, never the visitor's own. */

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 15;
const TONE_HZ = 440;
/** Far below what is sent, far above silence. */
const TONE_DB_MIN = -60;
const NOISE = 160;

export class Source {
  readonly video: MediaStreamTrack;
  /** Null: the browser makes no sound before somebody has pressed something. */
  readonly audio: MediaStreamTrack | null;
  /** A picture that no encoder can make small: to fill a line. */
  isNoise = false;
  #pen: CanvasRenderingContext2D;
  #noise: HTMLCanvasElement;
  #frame = 0;
  #timer: ReturnType<typeof setInterval>;
  #ear: AnalyserNode | null = null;
  #sound: AudioContext;

  static async open(): Promise<Source> {
    const sound = new AudioContext();
    await Promise.race([sound.resume(), new Promise((done) => setTimeout(done, 300))]);
    return new Source(sound);
  }

  private constructor(sound: AudioContext) {
    const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
    const pen = canvas.getContext('2d');
    if (!pen) throw new Error('no canvas to paint on');
    this.#pen = pen;
    this.#noise = noise();
    this.#sound = sound;
    this.audio = sound.state === 'running' ? tone(sound) : null;
    this.#paint();
    this.#timer = setInterval(() => this.#paint(), 1000 / FPS);
    const video = canvas.captureStream(FPS).getVideoTracks()[0];
    if (!video) throw new Error('no picture of a canvas');
    this.video = video;
  }

  /** What came back: from now on it is listened to. */
  listen(track: MediaStreamTrack): void {
    if (this.audio === null) return;
    this.#ear = this.#sound.createAnalyser();
    this.#ear.fftSize = 4096;
    this.#sound.createMediaStreamSource(new MediaStream([track])).connect(this.#ear);
  }

  /** Whether the tone is heard in what came back, and not just anything. */
  hears(): boolean {
    const ear = this.#ear;
    if (!ear) return false;
    const levels_db = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels_db);
    const at_db = (hertz: number): number => levels_db[Math.round((hertz * ear.fftSize) / this.#sound.sampleRate)] ?? -Infinity;
    return at_db(TONE_HZ) > TONE_DB_MIN && at_db(TONE_HZ) > at_db(TONE_HZ * 3.5) + 20;
  }

  close(): void {
    clearInterval(this.#timer);
    this.video.stop();
    this.audio?.stop();
    void this.#sound.close().catch(() => undefined);
  }

  #paint(): void {
    this.#frame++;
    if (this.isNoise) return this.#paintNoise();
    const pen = this.#pen;
    for (let column = 0; column < 8; column++) {
      pen.fillStyle = `hsl(${(column * 45 + this.#frame * 3) % 360} 45% 60%)`;
      pen.fillRect((column * WIDTH) / 8, 0, WIDTH / 8, HEIGHT);
    }
    pen.fillStyle = '#222';
    pen.fillRect((this.#frame * 8) % WIDTH, 0, 24, HEIGHT);
  }

  /** The same grains, thrown anew for every picture. */
  #paintNoise(): void {
    for (let x = 0; x < WIDTH; x += NOISE / 2) {
      for (let y = 0; y < HEIGHT; y += NOISE / 2) {
        const from = (): number => Math.floor((Math.random() * NOISE) / 2);
        this.#pen.drawImage(this.#noise, from(), from(), NOISE / 2, NOISE / 2, x, y, NOISE / 2, NOISE / 2);
      }
    }
  }
}

function tone(sound: AudioContext): MediaStreamTrack | null {
  const out = sound.createMediaStreamDestination();
  const gain = sound.createGain();
  gain.gain.value = 0.1;
  const oscillator = sound.createOscillator();
  oscillator.frequency.value = TONE_HZ;
  oscillator.connect(gain).connect(out);
  oscillator.start();
  return out.stream.getAudioTracks()[0] ?? null;
}

function noise(): HTMLCanvasElement {
  const canvas = Object.assign(document.createElement('canvas'), { width: NOISE, height: NOISE });
  const pen = canvas.getContext('2d');
  if (!pen) return canvas;
  const grains = pen.createImageData(NOISE, NOISE);
  for (let index = 0; index < grains.data.length; index++) grains.data[index] = index % 4 === 3 ? 255 : Math.floor(Math.random() * 256);
  pen.putImageData(grains, 0, 0);
  return canvas;
}
