import { defineConfig } from 'vite';
import { compress } from './compress.ts';

export default defineConfig({
  // The page is served at any path of any host.
  base: './',
  publicDir: false,
  build: {
    target: 'es2022',
    // Nothing in the page is a `data:` address: the policy of the chat nodes allows files alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // For `npm run dev`, beside a cluster on its default port.
  server: { proxy: { '/socket.io': { target: 'http://localhost:3000', ws: true } } },
  plugins: [compress({ budgetBytes: 32_000 })],
});
