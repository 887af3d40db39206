// SPDX-License-Identifier: MIT
/// <reference types="svelte" />
/// <reference types="vite/client" />
