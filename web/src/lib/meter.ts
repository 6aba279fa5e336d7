/** Listens to a microphone track and says how loud it is, ten times a second. */

const EVERY_MS = 100;

/** `null` where the browser has no sound to listen with: a meter is a kindness, not a need. */
export function openMeter(track: MediaStreamTrack, onLevel: (level: number, at_ms: number) => void): Meter | null {
  try {
    return new Meter(track, onLevel);
  } catch {
    return null;
  }
}

export class Meter {
  #context: AudioContext;
  #analyser: AnalyserNode;
  #track: MediaStreamTrack;
  #timer: ReturnType<typeof setInterval>;

  constructor(track: MediaStreamTrack, onLevel: (level: number, at_ms: number) => void) {
    // A clone has a switch of its own: it still hears while the published track is muted.
    this.#track = track.clone();
    this.#track.enabled = true;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#context.createMediaStreamSource(new MediaStream([this.#track])).connect(this.#analyser);
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#timer = setInterval(() => {
      // Before a gesture the context sleeps and would report silence that is none.
      if (this.#context.state !== 'running') {
        void this.#context.resume().catch(() => undefined);
        return;
      }
      this.#analyser.getFloatTimeDomainData(samples);
      onLevel(rootMeanSquare(samples), performance.now());
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#track.stop();
    void this.#context.close().catch(() => undefined);
  }
}

function rootMeanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
