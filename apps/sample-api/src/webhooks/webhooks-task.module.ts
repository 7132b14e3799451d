import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { WEBHOOK_SETTINGS, webhookSettings } from './webhook-settings.js';
import { HOST_RESOLVER, systemResolver, WebhookTargets } from './webhook-targets.js';
import { Webhooks } from './webhooks.task.js';

/** What a worker needs. */
@Module({
  providers: [
    Webhooks,
    WebhookTargets,
    { provide: WEBHOOK_SETTINGS, inject: [ConfigService], useFactory: webhookSettings },
    { provide: HOST_RESOLVER, useValue: systemResolver },
  ],
  exports: [WebhookTargets],
})
export class WebhooksTaskModule {}
