import { useEffect } from 'preact/hooks';

/** The screen stays on while somebody looks and does not touch. A browser that cannot is no worse than before. */
export function useAwake(wanted: boolean): void {
  useEffect(() => {
    if (!wanted) return;
    let lock: WakeLockSentinel | null = null;
    let isOver = false;
    const ask = async (): Promise<void> => {
      if (document.visibilityState !== 'visible') return;
      try {
        lock = await navigator.wakeLock?.request('screen');
        if (isOver) void lock?.release();
      } catch {
        // The battery is low, or the page is not the front one.
      }
    };
    void ask();
    // A page that was put away has lost it.
    document.addEventListener('visibilitychange', ask);
    return () => {
      isOver = true;
      document.removeEventListener('visibilitychange', ask);
      void lock?.release().catch(() => undefined);
    };
  }, [wanted]);
}
