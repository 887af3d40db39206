// SPDX-License-Identifier: MIT
// A page of jobs with their small plots, kept up to date. The list comes in one request, all plots in a second one; plots of
// finished jobs are loaded once.
import { ApiError, getJobPlots, getJobs } from './api';
import { jobMetrics } from './jobmetrics.svelte';
import { startPoll, type Poll } from './poll';
import { shared } from './state.svelte';
import type { Job, JobPage, JobPlots } from './types';

const INTERVAL_S = 5;
const POINTS = 60;
const KEPT_MAX = 1000;

export class JobList {
    page = $state.raw<JobPage | null>(null);
    plots = $state.raw<JobPlots | null>(null);
    problem = $state('');

    private known = new Map<number, { key: string; plots: JobPlots['jobs'][string] }>();

    /** Starts loading; `request` is asked each time, because "last hour" moves. */
    start(request: () => URLSearchParams): Poll {
        return startPoll((signal) => this.load(request(), signal), INTERVAL_S);
    }

    /** Plots of the jobs that are listed, at the metrics that are chosen now. */
    async loadPlots(signal?: AbortSignal): Promise<void> {
        const jobs = this.page?.jobs ?? [];
        // The list does not wait for the descriptions of the clusters, its plots do: they name the metrics.
        if (shared.clusters === null) await shared.load();
        const metrics = jobMetrics.names(shared.clusters);
        if (metrics.length === 0 || jobs.length === 0) return;
        const key = metrics.join();
        const wanted = jobs.filter(
            (job) => job.jobState === 'running' || this.known.get(job.id)?.key !== keyOf(job, key),
        );
        if (wanted.length > 0) {
            const ids = wanted.map((job) => job.id);
            const answer = await getJobPlots(ids, metrics, POINTS, signal);
            if (this.known.size > KEPT_MAX) this.known.clear();
            for (const job of wanted)
                this.known.set(job.id, { key: keyOf(job, key), plots: answer.jobs[job.id] ?? {} });
        }
        this.plots = { jobs: Object.fromEntries(jobs.map((job) => [job.id, this.known.get(job.id)?.plots ?? {}])) };
    }

    private async load(request: URLSearchParams, signal: AbortSignal): Promise<void> {
        try {
            const page = await getJobs(request, signal);
            this.page = { ...page, jobs: page.jobs ?? [] };
            this.problem = '';
        } catch (error) {
            if (error instanceof ApiError && error.kind === 'refused') this.problem = error.message;
            throw error;
        }
        await this.loadPlots(signal);
    }
}

function keyOf(job: Job, metrics: string): string {
    return `${metrics}/${job.jobState}`;
}
