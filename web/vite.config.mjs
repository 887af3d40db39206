// SPDX-License-Identifier: MIT
// The result is embedded in cc-backend: every asset has a content hash in its name (cached for ever by browsers), and
// nothing is inlined, because the content security policy allows files of our own origin only.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
    plugins: [svelte()],
    build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
        rollupOptions: {
            output: { entryFileNames: 'assets/[name]-[hash].js', chunkFileNames: 'assets/[name]-[hash].js' },
        },
    },
    test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
