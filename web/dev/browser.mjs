// SPDX-License-Identifier: MIT
// Starts Debian's Chromium the way tests and screenshots need it: headless, without any traffic of its own.
import { chromium } from 'playwright-core';

export function startBrowser() {
    const path = process.env.CC_CHROMIUM ?? '/usr/bin/chromium';
    const args = [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
    ];
    return chromium.launch({ executablePath: path, headless: true, args });
}
