import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';

/** What tasks use and Nest closes in another module: it must outlive them. */
@Injectable()
export class Database implements OnModuleDestroy {
  /** What tasks add to, and the closing. */
  static log: string[] = [];

  onModuleDestroy(): void {
    Database.log.push('database closed');
  }
}

@Module({ providers: [Database], exports: [Database] })
export class DatabaseModule {}
