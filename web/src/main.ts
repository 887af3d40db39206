// SPDX-License-Identifier: MIT
import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { here } from './lib/router.svelte';
import { shared } from './lib/state.svelte';
import { theme } from './lib/theme.svelte';

theme.start();
shared.start();
here.start();
mount(App, { target: document.getElementById('app') as HTMLElement });
