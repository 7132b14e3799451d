import { Module } from '@nestjs/common';
import { ImportStore } from './import-store.js';
import { Imports } from './imports.task.js';

/** What a worker needs. */
@Module({ providers: [Imports, ImportStore], exports: [ImportStore] })
export class ImportsTaskModule {}
