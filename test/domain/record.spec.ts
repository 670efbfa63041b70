// The record of a workspace: its keys and its epochs.
import { record } from '../../src/domain/record.js';
import { spec } from '../support/spec.js';

const given = spec(record);
const announced = { type: 'SigningKeyAnnounced', publicKey: 'switchyard+0a1b2c3d+AQ==' } as const;
const lost = { survived: 5, known: 9, checkpoint: null, comment: 'disk lost' } as const;
const restored = { type: 'LogRestored', epoch: 2, ...lost } as const;

describe('A signing key', () => {
  it('is announced once', () => {
    const announce = { type: 'AnnounceSigningKey', publicKey: announced.publicKey } as const;
    given().when(announce).then(announced);
    given(announced).when(announce).then();
  });

  it('comes beside those before it', () => {
    const another = { ...announced, publicKey: 'switchyard+4e5f6a7b+AQ==' };
    given(announced).when({ type: 'AnnounceSigningKey', publicKey: another.publicKey }).then(another);
  });
});

describe('A log that was restored', () => {
  it('begins a new epoch, and says what was lost', () => {
    given(announced)
      .when({ type: 'RestoreLog', knownEpoch: 1, ...lost })
      .then(restored);
  });

  it('never begins one that anybody has seen before, also where the backup is older than the one before', () => {
    given()
      .when({ type: 'RestoreLog', knownEpoch: 4, ...lost })
      .then({ ...restored, epoch: 5 });
    given(restored)
      .when({ type: 'RestoreLog', knownEpoch: 1, ...lost })
      .then({ ...restored, epoch: 3 });
  });
});
