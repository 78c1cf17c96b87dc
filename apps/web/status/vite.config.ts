import { defineConfig } from 'vite';
import { compress } from '../compress.ts';

// The status page: a build of its own, as the chat nodes serve it to operators alone, at /status/.
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: false,
  build: {
    target: 'es2022',
    outDir: 'dist',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  plugins: [compress({ budgetBytes: 20_000 })],
});
