import { Module } from '@nestjs/common';
import { WebhooksController } from './webhooks.controller.js';
import { WebhooksTaskModule } from './webhooks-task.module.js';

@Module({ imports: [WebhooksTaskModule], controllers: [WebhooksController] })
export class WebhooksApiModule {}
