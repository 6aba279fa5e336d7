import { defineConfig } from 'vite';

// `npm run dev` serves the page itself and hands everything else to a running madang.
const server = process.env.MADANG_URL ?? 'http://127.0.0.1:7880';
const toServer = { target: server, changeOrigin: false };

export default defineConfig({
  build: {
    target: 'es2022',
    // Inlined `data:` assets would need a wider CSP than `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: {
      '/api': toServer,
      '/healthz': toServer,
      '/turn': toServer,
      '/rtc': { ...toServer, ws: true },
      '/ertc': { ...toServer, ws: true },
      '/one2many': { ...toServer, ws: true },
      '/resources': toServer,
    },
  },
});
