// SPDX-License-Identifier: MIT
// A page of jobs with their small plots, kept up to date. The list comes in one request, all plots in a second one; plots of
// finished jobs are loaded once.
import { ApiError, getJobPlots, getJobs } from './api';
import { startPoll, type Poll } from './poll';
import type { JobPage, JobPlots } from './types';

const INTERVAL_S = 5;
const POINTS = 60;

export class JobList {
    page = $state.raw<JobPage | null>(null);
    plots = $state.raw<JobPlots | null>(null);
    problem = $state('');

    private known = new Map<number, { key: string; plots: JobPlots['jobs'][string] }>();

    /** Starts loading; `request` is asked each time, because "last hour" moves. Metric names may come later: see `metrics`. */
    start(request: () => URLSearchParams, metrics: () => string[]): Poll {
        return startPoll((signal) => this.load(request(), metrics, signal), INTERVAL_S);
    }

    private async load(request: URLSearchParams, metrics: () => string[], signal: AbortSignal): Promise<void> {
        try {
            const page = await getJobs(request, signal);
            this.page = { ...page, jobs: page.jobs ?? [] };
            this.problem = '';
        } catch (error) {
            if (error instanceof ApiError && error.kind === 'refused') this.problem = error.message;
            throw error;
        }
        await this.loadPlots(metrics(), signal);
    }

    private async loadPlots(metrics: string[], signal: AbortSignal): Promise<void> {
        const jobs = this.page?.jobs ?? [];
        if (metrics.length === 0) return;
        const key = metrics.join();
        const wanted = jobs.filter(
            (job) => job.jobState === 'running' || this.known.get(job.id)?.key !== `${key}/${job.jobState}`,
        );
        if (wanted.length > 0) {
            const answer = await getJobPlots(
                wanted.map((job) => job.id),
                metrics,
                POINTS,
                signal,
            );
            for (const job of wanted)
                this.known.set(job.id, { key: `${key}/${job.jobState}`, plots: answer.jobs[job.id] ?? {} });
        }
        this.plots = { jobs: Object.fromEntries(jobs.map((job) => [job.id, this.known.get(job.id)?.plots ?? {}])) };
    }
}
