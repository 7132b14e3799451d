import { Module } from '@nestjs/common';
import { ImportsController } from './imports.controller.js';
import { ImportsTaskModule } from './imports-task.module.js';

@Module({ imports: [ImportsTaskModule], controllers: [ImportsController] })
export class ImportsApiModule {}
