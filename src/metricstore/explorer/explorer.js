// SPDX-License-Identifier: MIT
// Draws doc.json (OpenAPI) and sends requests to the program that served the page. Texts reach the page as texts, never as HTML.
'use strict';

const LARGEST_SHOWN = 200000; // characters of an answer

function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

function resolve(doc, value) {
    if (!value?.$ref) return value;
    return value.$ref.slice(2).split('/').reduce((at, key) => at[key], doc);
}

function responses(doc, operation) {
    const rows = Object.entries(operation.responses).map(([status, response]) =>
        element('tr', {}, element('td', {}, element('code', {}, status)), element('td', {}, resolve(doc, response).description)));
    return element('table', {}, element('tbody', {}, ...rows));
}

function bodyOf(operation) {
    const content = operation.requestBody?.content;
    if (!content) return null;
    const [type, media] = Object.entries(content)[0];
    const text = typeof media.example === 'string' ? media.example : JSON.stringify(media.example, null, 2);
    return { type, text };
}

function parameterFields(operation, id) {
    return (operation.parameters ?? []).map((parameter) => {
        const input = element('input', { id: `${id}-${parameter.name}`, name: parameter.name });
        if (parameter.required) input.required = true;
        const label = element('label', { for: input.id }, parameter.name, parameter.required ? ' (required)' : '');
        return [label, element('span', { class: 'faint' }, parameter.description ?? ''), input];
    });
}

async function send(url, options) {
    const begin = performance.now();
    const answer = await fetch(url, options);
    const text = await answer.text();
    const took = Math.round(performance.now() - begin);
    return { ok: answer.ok, head: `${answer.status} ${answer.statusText}, ${text.length} characters, ${took} ms`, text };
}

function shown(text) {
    try {
        text = JSON.stringify(JSON.parse(text), null, 1);
    } catch {
        // no JSON: as it is
    }
    return text.length > LARGEST_SHOWN ? `${text.slice(0, LARGEST_SHOWN)}\n… cut` : text;
}

function requestOptions(method, body, text) {
    const token = document.getElementById('token').value.trim();
    const options = { method: method.toUpperCase(), headers: {}, credentials: 'omit', cache: 'no-store' };
    if (token) options.headers.Authorization = `Bearer ${token}`;
    if (body) {
        options.headers['Content-Type'] = body.type;
        options.body = text;
    }
    return options;
}

function requestUrl(path, form) {
    const wanted = new URLSearchParams([...new FormData(form)].filter(([name, value]) => name !== 'body' && value !== ''));
    return path + (wanted.size ? `?${wanted}` : '');
}

function tryForm(path, method, operation, id) {
    const body = bodyOf(operation);
    if (body && method === 'get') return element('p', { class: 'faint' }, 'Browsers send no body with GET: try POST, which means the same.');
    const form = element('form', {}, ...parameterFields(operation, id).flat());
    const area = body && element('textarea', { id: `${id}-body`, name: 'body', spellcheck: 'false' }, body.text);
    if (area) form.append(element('label', { for: area.id }, `Body (${body.type})`), area);
    const button = element('button', {}, 'Send');
    const outcome = element('div', { 'aria-live': 'polite' });
    form.append(button);
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        button.disabled = true;
        try {
            const answer = await send(requestUrl(path, form), requestOptions(method, body, area?.value));
            outcome.replaceChildren(
                element('p', { class: answer.ok ? 'faint' : 'bad' }, answer.head), element('pre', { tabindex: '0' }, shown(answer.text)));
        } catch (error) {
            outcome.replaceChildren(element('p', { class: 'bad' }, `no answer: ${error.message}`));
        }
        button.disabled = false;
    });
    return element('div', {}, form, outcome);
}

function operationView(doc, path, method, operation) {
    const id = operation.operationId;
    const free = operation.security?.length === 0 ? ' · no token' : '';
    const title = element('summary', {}, element('span', { class: `method ${method}` }, method), element('code', {}, path),
        element('span', { class: 'faint' }, ` ${operation.summary}${free}`));
    return element('details', { id }, title, element('div', {}, element('p', {}, operation.description),
        element('h3', {}, 'Try it'), tryForm(path, method, operation, id), element('h3', {}, 'Answers'), responses(doc, operation)));
}

function draw(doc) {
    document.getElementById('about').textContent = doc.info.description;
    const place = document.getElementById('operations');
    for (const tag of doc.tags) {
        const views = Object.entries(doc.paths).flatMap(([path, methods]) =>
            Object.entries(methods).filter(([, operation]) => operation.tags.includes(tag.name))
                .map(([method, operation]) => operationView(doc, path, method, operation)));
        place.append(element('section', {}, element('h2', {}, tag.name), element('p', { class: 'faint' }, tag.description), ...views));
    }
    const wanted = location.hash && document.getElementById(location.hash.slice(1));
    if (wanted instanceof HTMLDetailsElement) wanted.open = true;
}

async function main() {
    document.getElementById('access').addEventListener('submit', (event) => event.preventDefault());
    try {
        draw(await (await fetch('doc.json')).json());
    } catch (error) {
        document.getElementById('about').textContent = `doc.json cannot be read: ${error.message}`;
    }
}

main();
