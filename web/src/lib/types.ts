// SPDX-License-Identifier: MIT
// What travels between pages and backend. Contract: docs/ui-api.md.

/** A sample; null where nothing was measured. */
export type Sample = number | null;

export interface Unit {
    base: string;
    prefix?: string;
}

export type Scope = 'node' | 'socket' | 'memoryDomain' | 'core' | 'hwthread' | 'accelerator';

export interface MetricConfig {
    name: string;
    unit: Unit;
    scope: Scope;
    aggregation?: string;
    timestep: number;
    peak: number;
    normal: number;
    caution: number;
    alert: number;
    footprint?: string;
    lowerIsBetter?: boolean;
}

export interface Topology {
    node: number[];
    socket?: number[][];
    memoryDomain?: number[][];
    core?: number[][];
    accelerators?: { id: string; type: string; model: string }[];
}

export interface SubCluster {
    name: string;
    nodes: string;
    processorType?: string;
    metricConfig: MetricConfig[];
    topology: Topology;
}

export interface Cluster {
    name: string;
    metricConfig: MetricConfig[];
    subClusters: SubCluster[];
}

export interface NodeInfo {
    host: string;
    subcluster: string;
    /** Unix seconds of the newest sample, null when the store has none. */
    lastSeen: number | null;
}

export interface Info {
    version: string;
    demo: boolean;
    authentication: boolean;
    /** The server's clock in Unix seconds; pages count ages from it, never from the browser's clock. */
    now: number;
    clusters: { name: string; nodes: NodeInfo[]; simulated: boolean }[];
}

export interface Statistics {
    min: Sample;
    avg: Sample;
    max: Sample;
}

export interface Job {
    id: number;
    jobId: number;
    cluster: string;
    subCluster: string;
    user: string;
    project: string;
    jobState: string;
    startTime: number;
    duration: number;
    numNodes: number;
    numHwthreads?: number;
    walltime?: number;
    shared?: string;
    smt?: number;
    monitoringStatus?: number;
    resources: { hostname: string; hwthreads?: number[]; accelerators?: string[] }[] | null;
    metaData: Record<string, string> | null;
    statistics: Record<string, { unit: Unit } & Statistics> | null;
    footprint: Record<string, number> | null;
    tags?: { type: string; name: string }[];
}

export interface JobPage {
    jobs: Job[];
    items: number;
    page: number;
    total: number;
}

export interface BandPlot {
    from: number;
    step: number;
    unit: Unit;
    mean: Sample[];
    min: Sample[];
    max: Sample[];
}

export interface JobPlots {
    jobs: Record<string, Record<string, BandPlot>>;
}

export interface JobMetric {
    name: string;
    scope: Scope;
    metric: {
        unit: Unit;
        timestep: number;
        series: { hostname: string; id?: string; statistics: Statistics; data: Sample[] }[];
    };
}

export interface StoreQuery {
    metric: string;
    host: string;
    resolution?: number;
    type?: string;
    'type-ids'?: string[];
    aggreg?: boolean;
}

export interface StoreResult {
    error?: string;
    data?: Sample[];
    from: number;
    to: number;
    resolution: number;
    avg: Sample;
    min: Sample;
    max: Sample;
}

export interface StoreAnswer {
    results: StoreResult[][];
}
