// Run inside a page before it starts: cameras that are drawn, or refused. (Each function is sent on its own: it must not use the others.)

/** A calm portrait instead of the browser's test picture, and a quiet tone. */
export function drawnCamera({ hue, name }) {
  const portrait = () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    const pen = canvas.getContext('2d');
    let frame = 0;
    const draw = () => {
      const sway = Math.sin(frame / 40) * 12;
      const wall = pen.createLinearGradient(0, 0, 1280, 720);
      wall.addColorStop(0, `hsl(${hue} 32% 76%)`);
      wall.addColorStop(1, `hsl(${hue + 30} 26% 52%)`);
      pen.fillStyle = wall;
      pen.fillRect(0, 0, 1280, 720);
      pen.fillStyle = `hsl(${hue + 20} 30% 88% / 0.7)`;
      pen.fillRect(140, 90, 250, 330);
      pen.fillStyle = `hsl(${hue + 10} 34% 34%)`;
      pen.beginPath();
      pen.ellipse(640 + sway, 830, 330, 330, 0, 0, 7);
      pen.fill();
      // Hair behind, face before it, a fringe on top.
      pen.fillStyle = `hsl(${hue + 8} 22% 20%)`;
      pen.beginPath();
      pen.ellipse(640 + sway, 330, 150, 168, 0, 0, 7);
      pen.fill();
      pen.fillStyle = 'hsl(27 42% 72%)';
      pen.beginPath();
      pen.ellipse(640 + sway, 372, 118, 140, 0, 0, 7);
      pen.fill();
      pen.fillStyle = `hsl(${hue + 8} 22% 20%)`;
      pen.beginPath();
      pen.ellipse(640 + sway, 262, 112, 58, 0.12, 0, 7);
      pen.fill();
      frame++;
    };
    draw();
    setInterval(draw, 50);
    return canvas.captureStream(20).getVideoTracks()[0];
  };
  const tone = () => {
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    gain.gain.value = name === 'Me' ? 0.012 : name.startsWith('Ada') ? 0.05 : 0.0005;
    const out = context.createMediaStreamDestination();
    oscillator.connect(gain).connect(out);
    oscillator.start();
    return out.stream.getAudioTracks()[0];
  };
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    const stream = new MediaStream();
    if (audio) stream.addTrack(tone());
    if (video) stream.addTrack(portrait());
    return stream;
  };
}

export function noCamera() {
  navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException('Permission denied', 'NotAllowedError');
  };
}
