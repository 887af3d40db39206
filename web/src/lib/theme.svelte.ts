// SPDX-License-Identifier: MIT
// Light, dark, or as the system says. Plots draw on canvas and cannot use CSS variables, so they watch `dark`.

export type Choice = 'auto' | 'light' | 'dark';
const KEY = 'cc-theme';

class Theme {
    choice = $state<Choice>('auto');
    private system = $state(false);
    dark = $derived(this.choice === 'dark' || (this.choice === 'auto' && this.system));

    start(): void {
        const stored = localStorage.getItem(KEY);
        if (stored === 'light' || stored === 'dark') this.choice = stored;
        const query = matchMedia('(prefers-color-scheme: dark)');
        this.system = query.matches;
        query.addEventListener('change', () => (this.system = query.matches));
        this.apply();
    }

    next(): void {
        this.choice =
            this.choice === 'auto' ? (this.dark ? 'light' : 'dark') : this.choice === 'dark' ? 'light' : 'auto';
        if (this.choice === 'auto') localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, this.choice);
        this.apply();
    }

    private apply(): void {
        document.documentElement.dataset['theme'] = this.choice;
    }
}

export const theme = new Theme();

/** Okabe-Ito colours, which people with colour vision deficiencies tell apart; lightness fitted to the ground. */
const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a6d00', '#3d9bd9', '#5a5a5a', '#a33b00'];
const DARK = ['#56b4e9', '#e69f00', '#2fc99a', '#e59bc4', '#f0e442', '#8fb8ff', '#b8b8b8', '#ff8a4c'];

export function lineColours(dark: boolean): string[] {
    return dark ? DARK : LIGHT;
}

export interface PlotColours {
    ground: string;
    text: string;
    grid: string;
    band: string;
    normal: string;
    caution: string;
    alert: string;
}

export function plotColours(dark: boolean): PlotColours {
    return dark
        ? {
              ground: '#181f26',
              text: '#a9b4c0',
              grid: '#2a323c',
              band: 'rgba(86,180,233,0.25)',
              normal: '#8f9aa6',
              caution: '#e69f00',
              alert: '#ff7b6b',
          }
        : {
              ground: '#ffffff',
              text: '#55606c',
              grid: '#e6eaee',
              band: 'rgba(0,114,178,0.18)',
              normal: '#6b7682',
              caution: '#b26b00',
              alert: '#c0392b',
          };
}
