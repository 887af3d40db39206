// SPDX-License-Identifier: MIT
// Where we are: path and query of the address bar as reactive state. Links are plain anchors; one click handler turns those
// to our own pages into history entries, so that middle click, copy and open-in-tab work as everywhere.

export type Route =
    | { page: 'overview' }
    | { page: 'cluster'; cluster: string }
    | { page: 'node'; cluster: string; host: string }
    | { page: 'jobs' }
    | { page: 'job'; id: string }
    | { page: 'unknown'; path: string };

export function parseRoute(path: string): Route {
    const parts = path
        .split('/')
        .filter((p) => p !== '')
        .map(decode);
    const [first, second, third, fourth] = parts;
    if (first === undefined) return { page: 'overview' };
    if (first === 'jobs' && parts.length === 1) return { page: 'jobs' };
    if (first === 'jobs' && parts.length === 2 && /^\d+$/.test(second ?? ''))
        return { page: 'job', id: second as string };
    if (first === 'clusters' && parts.length === 2) return { page: 'cluster', cluster: second as string };
    if (first === 'clusters' && third === 'nodes' && parts.length === 4)
        return { page: 'node', cluster: second as string, host: fourth as string };
    return { page: 'unknown', path };
}

function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

export function clusterPath(cluster: string): string {
    return `/clusters/${encodeURIComponent(cluster)}`;
}

export function nodePath(cluster: string, host: string): string {
    return `${clusterPath(cluster)}/nodes/${encodeURIComponent(host)}`;
}

export function jobPath(id: number): string {
    return `/jobs/${id}`;
}

class Location {
    path = $state('/');
    search = $state('');
    route = $derived(parseRoute(this.path));
    query = $derived(new URLSearchParams(this.search));

    start(): void {
        this.read();
        addEventListener('popstate', () => this.read());
        document.addEventListener('click', (event) => this.follow(event));
    }

    go(url: string): void {
        const before = this.path;
        history.pushState(null, '', url);
        this.read();
        if (before !== this.path) {
            scrollTo(0, 0);
            // Screen readers and the keyboard start at the new page's heading, not in a menu that is gone.
            requestAnimationFrame(() => document.getElementById('main')?.focus({ preventScroll: true }));
        }
    }

    /** Changes members of the query in place; an empty value removes one. */
    setQuery(values: Record<string, string>): void {
        const query = new URLSearchParams(this.search);
        for (const [key, value] of Object.entries(values)) {
            if (value === '') query.delete(key);
            else query.set(key, value);
        }
        this.replaceQuery(query);
    }

    replaceQuery(query: URLSearchParams, push = false): void {
        const text = query.toString();
        const url = `${this.path}${text === '' ? '' : `?${text}`}`;
        if (push) history.pushState(null, '', url);
        else history.replaceState(null, '', url);
        this.read();
    }

    private read(): void {
        this.path = location.pathname;
        this.search = location.search;
    }

    private follow(event: MouseEvent): void {
        if (
            event.defaultPrevented ||
            event.button !== 0 ||
            event.metaKey ||
            event.ctrlKey ||
            event.shiftKey ||
            event.altKey
        )
            return;
        const link = (event.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | null;
        if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
        if (link.hash !== '' && link.pathname === location.pathname) return;
        if (parseRoute(link.pathname).page === 'unknown') return;
        event.preventDefault();
        this.go(link.pathname + link.search);
    }
}

export const here = new Location();
