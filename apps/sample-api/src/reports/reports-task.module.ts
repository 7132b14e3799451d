import { Module } from '@nestjs/common';
import { ReportCleanUp } from './report-clean-up.task.js';
import { ReportStore } from './report-store.js';
import { ReportThreads } from './report-threads.js';
import { Reports } from './reports.task.js';

/** What a worker needs. */
@Module({ providers: [Reports, ReportCleanUp, ReportStore, ReportThreads], exports: [ReportStore] })
export class ReportsTaskModule {}
