import { Module } from '@nestjs/common';
import { ReportStore } from './report-store.js';
import { ReportThreads } from './report-threads.js';
import { Reports } from './reports.task.js';

/** What a worker needs. */
@Module({ providers: [Reports, ReportStore, ReportThreads], exports: [ReportStore] })
export class ReportsTaskModule {}
