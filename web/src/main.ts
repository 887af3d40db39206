// SPDX-License-Identifier: MIT
import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { prefetchJob } from './lib/api';
import { here, parseRoute } from './lib/router.svelte';
import { shared } from './lib/state.svelte';
import { theme } from './lib/theme.svelte';

// What every page needs, and the job that is asked for, are on their way before anything is drawn. A failure is told by the
// load of the page itself.
function askEarly(): void {
    void shared.load().catch(() => undefined);
    const route = parseRoute(location.pathname);
    if (route.page === 'job') prefetchJob(route.id);
}

theme.start();
shared.start();
askEarly();
here.start();
mount(App, { target: document.getElementById('app') as HTMLElement });
