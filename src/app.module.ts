// The one composition root: which controllers and handlers there are, and the engine that they share.
import { Module, type DynamicModule } from '@nestjs/common';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { AuditController } from './api/audit.controller.js';
import type { BrowserOrigin } from './api/cross-site.js';
import { DiffController } from './api/diff.controller.js';
import { EnvironmentsController } from './api/environments.controller.js';
import { AuditExportController } from './api/audit-export.controller.js';
import { EvidenceController } from './api/evidence.controller.js';
import { FlowsController } from './api/flows.controller.js';
import { HealthController } from './api/health.controller.js';
import { HistoryController } from './api/history.controller.js';
import { KeysController } from './api/keys.controller.js';
import { Metrics } from './api/metrics.js';
import { ProjectsController } from './api/projects.controller.js';
import { RecordController } from './api/record.controller.js';
import { ReleasesController } from './api/releases.controller.js';
import { SessionController } from './api/session.controller.js';
import { SessionsController } from './api/sessions.controller.js';
import { SignIn } from './api/sign-in.js';
import { VersionsController } from './api/versions.controller.js';
import { ViewsController } from './api/views.controller.js';
import { WorkspacesController } from './api/workspaces.controller.js';
import { AccessStream } from './commands/access-stream.js';
import { ActivateVersionHandler, DeactivateVersionHandler } from './commands/activate-version.js';
import {
  ArchiveEnvironmentHandler,
  ChangeEnvironmentHandler,
  RestoreEnvironmentHandler,
} from './commands/change-environment.js';
import { ArchiveFlowHandler, RenameFlowHandler } from './commands/change-flow.js';
import { CommandLog } from './commands/command-log.js';
import { CreateEnvironmentHandler } from './commands/create-environment.js';
import { CreateFlowHandler } from './commands/create-flow.js';
import {
  ArchiveProjectHandler,
  CreateProjectHandler,
  RestoreProjectHandler,
} from './commands/create-project.js';
import { ChangeWorkspaceHandler, CreateWorkspaceHandler } from './commands/create-workspace.js';
import { EnvironmentStream } from './commands/environment-stream.js';
import { FlowStream } from './commands/flow-stream.js';
import { IssueKeyHandler, RevokeKeyHandler, RotateKeyHandler } from './commands/issue-key.js';
import { CloseSessionHandler, ErasePersonHandler, OpenSessionHandler } from './commands/open-session.js';
import { ProjectStream } from './commands/project-stream.js';
import { PromoteHandler } from './commands/promote.js';
import { RollbackHandler } from './commands/rollback.js';
import { ChangeProjectHandler, SetDefaultHandler } from './commands/set-default.js';
import { Streams } from './commands/streams.js';
import { DraftVersionHandler, EditVersionHandler, ForkVersionHandler } from './commands/write-version.js';
import { Engine } from './engine.js';
import { People } from './people.js';
import { LogFollower } from './read/log-follower.js';
import { Past } from './read/past.js';
import { PointerHistory } from './read/pointer-history.js';
import { ReleaseLog } from './read/release-log.js';
import { VersionLog } from './read/version-log.js';
import { ViewsStatus } from './read/views-status.js';
import type { SignInConfig } from './sign-in-config.js';

const HANDLERS = [
  ActivateVersionHandler,
  ArchiveEnvironmentHandler,
  ArchiveFlowHandler,
  ArchiveProjectHandler,
  ChangeEnvironmentHandler,
  ChangeProjectHandler,
  ChangeWorkspaceHandler,
  CloseSessionHandler,
  CreateEnvironmentHandler,
  CreateFlowHandler,
  CreateProjectHandler,
  CreateWorkspaceHandler,
  DeactivateVersionHandler,
  DraftVersionHandler,
  EditVersionHandler,
  ErasePersonHandler,
  ForkVersionHandler,
  IssueKeyHandler,
  OpenSessionHandler,
  PromoteHandler,
  RenameFlowHandler,
  RestoreEnvironmentHandler,
  RestoreProjectHandler,
  RevokeKeyHandler,
  RollbackHandler,
  RotateKeyHandler,
  SetDefaultHandler,
];

@Module({})
export class AppModule {
  static over(engine: Engine, origin: BrowserOrigin, settings: SignInConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        WorkspacesController,
        KeysController,
        SessionController,
        SessionsController,
        ProjectsController,
        EnvironmentsController,
        ReleasesController,
        FlowsController,
        VersionsController,
        DiffController,
        HistoryController,
        RecordController,
        EvidenceController,
        AuditExportController,
        AuditController,
        ViewsController,
        HealthController,
      ],
      providers: [
        { provide: Engine, useValue: engine },
        { provide: LogFollower, useValue: engine.follower },
        { provide: CommandLog, useValue: engine.commandLog },
        { provide: Streams, useValue: engine.streams },
        { provide: ReleaseLog, useValue: engine.releases },
        { provide: VersionLog, useValue: engine.versions },
        { provide: Past, useValue: engine.past },
        { provide: PointerHistory, useValue: new PointerHistory(engine.follower) },
        { provide: ViewsStatus, useValue: engine.viewsStatus },
        { provide: Metrics, useValue: new Metrics(engine) },
        { provide: People, useValue: engine.people },
        {
          provide: SignIn,
          inject: [CommandBus],
          useFactory: (bus: CommandBus) => new SignIn(bus, engine.follower, origin, settings),
        },
        AccessStream,
        ProjectStream,
        FlowStream,
        EnvironmentStream,
        ...HANDLERS,
      ],
    };
  }
}
