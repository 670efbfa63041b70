#!/usr/bin/env python3
"""Verify a Switchyard evidence bundle, trusting neither Switchyard nor anything but Python itself.

    python3 verify_evidence.py DIR [--key PUBLIC_KEY]... [--checkpoint FILE]... [--accept-restored] [--json]

This one file needs Python 3.8 or newer and nothing else. It follows docs/audit-format.md; "check 7" here is check 7 there.

What OK proves: events.ndjson holds, byte for byte and in their order, the events over which the checkpoints were signed. No event
was changed, removed, inserted or moved since the oldest checkpoint that covers it, and manifest.json (which version of which flow
is active in which environment) says what follows from these events and nothing else.

What OK does not prove:

- That the bundle is the newest one, or that the log never had other events after the newest checkpoint that YOU kept. Whoever
  holds the signing key could rewrite those and sign anew. Keep checkpoints in a place of your own, and give them by --checkpoint.
- That the signing key was in the right hands. Whoever steals it can sign another history; it shows as FORK, ALTERED or TRUNCATED
  only against checkpoints that were kept elsewhere.
- Without --key and --checkpoint the bundle vouches only for itself: anybody can make a consistent bundle with a key of his own.
- That what the events say is true, only that it is what was recorded.

Exit codes: 0 OK, 2 ALTERED, 3 TRUNCATED, 4 FORK, 5 BAD SIGNATURE; 64 wrong command line, 1 the verifier itself failed.
"""

import argparse
import base64
import binascii
import contextlib
import functools
import hashlib
import json
import os
import re
import sys
from collections import namedtuple

# ---------------------------------------------------------------------------------------------------------------- verdicts

EXIT_CODES = {"ok": 0, "altered": 2, "truncated": 3, "fork": 4, "bad-signature": 5}

VERDICT_OF_CHECK = {
    1: "altered",         # the four files can be read
    2: "bad-signature",   # the public keys
    3: "bad-signature",   # the checkpoints and their signatures
    4: "fork",            # two roots for one size
    5: "altered",         # one log, one workspace, in order
    6: "altered",         # the form of each event
    7: "altered",         # the events against the signed roots
    8: "truncated",       # fewer events than signed
    9: "altered",         # more events than signed
    10: "altered",        # epochs
    11: "truncated",      # history that was lost when a backup was taken into service
    12: "altered",        # the state of the environments
    13: "altered",        # the manifest
}


class Failed(Exception):
    """A check failed. `where` is a place such as "at index 17", or empty."""

    def __init__(self, check, why, where=""):
        super().__init__(check, why, where)
        self.verdict = VERDICT_OF_CHECK[check]
        self.detail = "%s%s%s (check %d)" % (where, ": " if where else "", why, check)
        self.line = "%s%s%s" % (self.verdict.upper().replace("-", " "), " " if where else ": ", self.detail)


# ------------------------------------------------------------------------------- Ed25519 signatures (RFC 8032, section 5.1)
#
# Points of the curve -x^2 + y^2 = 1 + D x^2 y^2 are held in extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19                                            # the prime of the field
L = 2**252 + 27742317777372353535851937790883648493        # the order of the base point
D = -121665 * pow(121666, P - 2, P) % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)
BASE_POINT = bytes.fromhex("58" + "66" * 31)               # y = 4/5, x even


def add_points(a, b):
    """The sum of two points; the formula holds for any two, equal or not."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m = (y1 - x1) * (y2 - x2) % P
    n = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate_point(point):
    x, y, z, t = point
    return P - x, y, z, P - t


def decode_point(encoded):
    """The point that 32 bytes stand for, or None. Only the one canonical encoding of a point is accepted."""
    y = int.from_bytes(encoded, "little")
    odd, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x_squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x_squared, (P + 3) // 8, P)
    if x * x % P != x_squared:
        x = x * SQRT_OF_MINUS_1 % P
    if x * x % P != x_squared or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = P - x
    return x, y, 1, x * y % P


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=16)
def multiples(encoded):
    """For each of the 64 hexadecimal places of a scalar: 0 to 15 times 16^place times the point. None if it is no point."""
    point = decode_point(encoded)
    if point is None:
        return None
    table = []
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(add_points(row[-1], point))
        table.append(row)
        point = add_points(row[-1], point)
    return table


def multiply(table, scalar):
    """The scalar (below 2^256) times the point of the table of multiples."""
    product = NEUTRAL
    for row in table:
        product = add_points(product, row[scalar & 15])
        scalar >>= 4
    return product


def verify_signature(public_key, message, signature):
    """Whether an Ed25519 signature is right: S below L, and [S]B - [k]A encodes to exactly R (the cofactorless equation)."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    table = multiples(public_key)
    if len(signature) != 64 or s >= L or table is None:
        return False
    k = int.from_bytes(hashlib.sha512(r + public_key + message).digest(), "little") % L
    difference = add_points(multiply(multiples(BASE_POINT), s), negate_point(multiply(table, k)))
    return encode_point(difference) == r


# ------------------------------------------------------------------------------------------------- the Merkle tree (RFC 6962)

def leaf_hash(leaf):
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree that leaves are appended to. It holds only the roots of its perfect subtrees, the largest first."""

    def __init__(self):
        self.size = 0
        self.subtrees = []

    def append(self, leaf):
        node, rest = leaf_hash(leaf), self.size
        while rest & 1:
            node, rest = node_hash(self.subtrees.pop(), node), rest >> 1
        self.subtrees.append(node)
        self.size += 1

    def root(self):
        if not self.subtrees:
            return hashlib.sha256().digest()
        return functools.reduce(lambda right, left: node_hash(left, right), reversed(self.subtrees))


# ------------------------------------------------------------------------------------------------------- the forms of the files

def decode_base64(text):
    """The bytes of a base64 text, or None unless it is their one canonical spelling."""
    try:
        decoded = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return decoded if binascii.b2a_base64(decoded, newline=False) == text else None


def text_of_base64(data):
    return base64.b64encode(data).decode("ascii")


Key = namedtuple("Key", "name id public_key")

KEY = re.compile(rb"([A-Za-z0-9._-]{1,100})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")


def parse_key(line):
    """A line of pubkeys.txt without its LF as a Key, or None if it is not in its form or its key id is wrong."""
    match = KEY.fullmatch(line)
    if not match:
        return None
    name, key_id, encoded = match.group(1), bytes.fromhex(match.group(2).decode("ascii")), decode_base64(match.group(3))
    if encoded is None or encoded[0] != 1 or hashlib.sha256(name + b"\n" + encoded).digest()[:4] != key_id:
        return None
    return Key(name, key_id, encoded[1:])


Checkpoint = namedtuple("Checkpoint", "text origin name workspace epoch size root key_id signature")

CHECKPOINT = re.compile(
    rb"(?P<text>"
    rb"(?P<origin>(?P<name>[A-Za-z0-9._-]{1,100})"
    rb"/(?P<workspace>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    rb"/e(?P<epoch>[1-9][0-9]*))\n"
    rb"(?P<size>0|[1-9][0-9]*)\n"
    rb"(?P<root>[A-Za-z0-9+/]{43}=)\n)"
    rb"\n"
    rb"\xe2\x80\x94 (?P=name) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
    rb"\n"
)


def parse_checkpoints(data):
    """The Checkpoints of a file in the form of checkpoints.txt, or None if it is not in that form."""
    found, position = [], 0
    while position < len(data) or not found:
        match = CHECKPOINT.match(data, position)
        if not match:
            return None
        root, signature = decode_base64(match["root"]), decode_base64(match["signature"])
        if root is None or signature is None:
            return None
        if max(len(match["size"]), len(match["epoch"])) > 16:
            return None
        size, epoch = int(match["size"]), int(match["epoch"])
        if max(size, epoch) >= 2**53:
            return None
        found.append(Checkpoint(match["text"], match["origin"], match["name"], match["workspace"], epoch, size, root,
                                signature[:4], signature[4:]))
        position = match.end()
    return found


def parse_line(line, index, workspace):
    """The leaf data of a line of events.ndjson and its nine fields, or None if it is not what has to stand at this index.

    The line that the decoded leaf data would have is written again and compared: so there is one spelling of it and no other.
    """
    head, tail = b'{"index":%d,"leaf":"' % index, b'"}\n'
    try:
        leaf = binascii.a2b_base64(line[len(head):-len(tail)])
    except binascii.Error:
        return None
    if line != head + binascii.b2a_base64(leaf, newline=False) + tail:
        return None
    fields = leaf.split(b"\n")
    if len(fields) != 9 or fields[0] != b"v1" or fields[1] != workspace or fields[2] != b"%d" % index:
        return None
    return leaf, fields


def refuse_constant(name):
    raise ValueError("JSON knows no " + name)


STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
DEEPEST = 64


def is_too_deep(data):
    """Whether arrays and objects are nested deeper than the format allows."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for match in STRING_OR_BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match.group(), 0)
        if depth > DEEPEST:
            return True
    return False


def parse_object(data):
    """A JSON object, or None if the bytes are no JSON text in UTF-8 or no object. Numbers are doubles, as RFC 8785 has them."""
    if is_too_deep(data):
        return None
    try:
        value = json.loads(data.decode("utf-8"), parse_int=float, parse_float=float, parse_constant=refuse_constant)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def whole_number(value):
    """A JSON number as an int, or None if it is no number, not whole, or beyond what a double counts exactly."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else None


def canonical_json(value):
    """The form of RFC 8785 for objects, arrays, strings and ints: no spaces, members in the order of their UTF-16 code units."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: utf16(member[0]))
        return "{" + ",".join(canonical_json(name) + ":" + canonical_json(item) for name, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def utf16(text):
    return text.encode("utf-16-be")


# --------------------------------------------------------------------------------------------------- the state of an environment

ENVIRONMENT_EVENTS = (b"VersionActivated", b"VersionDeactivated", b"VersionsPromoted", b"EnvironmentRolledBack")


class Environment:
    """What is active in an environment, folded from the events of its stream."""

    def __init__(self):
        self.release = 0           # the last complete release
        self.active = {}           # flow id -> version id
        self.parts_taken = 0       # of a release whose parts are not all there yet:
        self.parts_expected = 0
        self.pending = []          # its changes so far

    def take(self, event_type, data):
        """Take the next event. False if it is not in its form or does not follow the ones before."""
        event = parse_object(data)
        if event is None or event_type not in ENVIRONMENT_EVENTS or whole_number(event.get("release")) != self.release + 1:
            return False
        number, of = 1, 1
        if "part" in event:
            part = event["part"] if isinstance(event["part"], dict) else {}
            number, of = whole_number(part.get("number")), whole_number(part.get("of"))
            if number is None or of is None or of < 2:
                return False
        if number != self.parts_taken + 1 or (self.parts_taken and of != self.parts_expected):
            return False
        if not isinstance(event.get("changes"), list) or not all(map(is_change, event["changes"])):
            return False
        self.parts_taken, self.parts_expected = number, of
        self.pending.extend((change["flowId"], change["to"]) for change in event["changes"])
        if number == of:
            self.complete_release()
        return True

    def complete_release(self):
        for flow, version in self.pending:
            self.active.pop(flow, None)
            if version is not None:
                self.active[flow] = version["versionId"]
        self.release += 1
        self.parts_taken, self.parts_expected, self.pending = 0, 0, []


def is_change(change):
    if not isinstance(change, dict) or not is_text(change.get("flowId")) or "to" not in change:
        return False
    to = change["to"]
    return to is None or (isinstance(to, dict) and is_text(to.get("versionId")))


def is_text(value):
    """Whether it is a string that RFC 8785 can write: one without half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


# --------------------------------------------------------------------------------------------------------------------- the checks

def check_1_files(directory, open_files):
    """What the three small files hold, and events.ndjson opened for reading."""
    found = []
    for name in ("pubkeys.txt", "checkpoints.txt", "manifest.json", "events.ndjson"):
        try:
            file = open_files.enter_context(open(os.path.join(directory, name), "rb"))
            found.append(file if name == "events.ndjson" else file.read())
        except OSError as error:
            raise Failed(1, "%s cannot be read: %s" % (name, error.strerror)) from None
    return found


def check_2_keys(data, keys):
    """The trusted keys: those of pubkeys.txt, or of these only the ones that the auditor names."""
    lines = data.split(b"\n")
    if len(lines) < 2 or lines.pop() != b"":
        raise Failed(2, "pubkeys.txt is not one or more lines")
    known = {}
    for number, line in enumerate(lines, 1):
        key = parse_key(line)
        if key is None:
            raise Failed(2, "line %d of pubkeys.txt is not in its form, or its key id is wrong" % number)
        if line.decode("ascii") in known:
            raise Failed(2, "line %d of pubkeys.txt stands there twice" % number)
        known[line.decode("ascii")] = key
    for text in keys:
        if text not in known:
            raise Failed(2, "%s, which --key names, is not in pubkeys.txt" % ascii(text))
    return [known[text] for text in keys] or list(known.values())


def check_3_checkpoints(data, file_name, trusted):
    """The checkpoints of a file, each of them signed by a trusted key."""
    checkpoints = parse_checkpoints(data)
    if checkpoints is None:
        raise Failed(3, "%s is not in the form of checkpoints" % file_name)
    for checkpoint in checkpoints:
        signers = [key for key in trusted if key.name == checkpoint.name and key.id == checkpoint.key_id]
        if not any(verify_signature(key.public_key, checkpoint.text, checkpoint.signature) for key in signers):
            why = "has a wrong signature" if signers else "is signed by a key that is not trusted"
            raise Failed(3, "the checkpoint of size %s in %s %s" % (checkpoint.size, file_name, why))
    return checkpoints


def check_4_no_fork(checkpoints):
    roots = {}
    for checkpoint in checkpoints:
        if roots.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root) != checkpoint.root:
            raise Failed(4, "the log signed two different histories as %s" % checkpoint.origin.decode("ascii"),
                         "at size %s" % checkpoint.size)


def check_5_one_log_in_order(bundled, kept):
    first = bundled[0]
    for checkpoint in bundled + kept:
        if (checkpoint.name, checkpoint.workspace) != (first.name, first.workspace):
            raise Failed(5, "there are checkpoints of different logs or workspaces")
    for before, after in zip(bundled, bundled[1:]):
        if after.epoch < before.epoch or after.size <= before.size:
            raise Failed(5, "checkpoints.txt is not in order", "at size %s" % after.size)


# What events.ndjson holds. `roots` are those at the sizes asked for; `restorations` are (index, epoch) of each LogRestored, the
# epoch None if it names none; `environments` are by id; `unfolded` is the index of the first event that they could not take.
Record = namedtuple("Record", "size root roots restorations environments unfolded cut_off sha256")


def check_6_events(file, workspace, sizes):
    """Read events.ndjson once from end to end, holding no more than a line of it."""
    tree, file_hash = MerkleTree(), hashlib.sha256()
    roots, restorations, environments, unfolded, cut_off = {}, [], {}, None, False
    for line in file:
        file_hash.update(line)
        if not line.endswith(b"\n"):
            cut_off = True
            break
        index = tree.size
        if index in sizes:
            roots[index] = tree.root()
        parsed = parse_line(line, index, workspace)
        if parsed is None:
            raise Failed(6, "the line is not in its form, or its leaf data is not that of this index", "at index %d" % index)
        leaf, (_, _, _, stream, _, _, event_type, data, _) = parsed
        tree.append(leaf)
        if event_type == b"LogRestored":
            restorations.append((index, whole_number((parse_object(data) or {}).get("epoch"))))
        if stream.startswith(b"environment-") and unfolded is None:
            try:
                environment = environments.setdefault(stream[len(b"environment-"):].decode("utf-8"), Environment())
                unfolded = None if environment.take(event_type, data) else index
            except UnicodeDecodeError:
                unfolded = index
    roots[tree.size] = tree.root()
    return Record(tree.size, tree.root(), roots, restorations, environments, unfolded, cut_off, file_hash.hexdigest())


def ended_before(checkpoint, record):
    """Whether the epoch of a kept checkpoint ended before it: whether the log was restored to a state without what it covers."""
    return any(index < checkpoint.size and epoch is not None and epoch > checkpoint.epoch
               for index, epoch in record.restorations)


def check_7_roots(record, checkpoints):
    as_signed = 0
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.size):
        if checkpoint.size <= record.size:
            if record.roots[checkpoint.size] != checkpoint.root:
                raise Failed(7, "the first %s events have not the root that was signed (the first %s have)"
                             % (checkpoint.size, as_signed), "at size %s" % checkpoint.size)
            as_signed = checkpoint.size


def check_8_nothing_missing(record, checkpoints):
    for checkpoint in checkpoints:
        if checkpoint.size > record.size:
            raise Failed(8, "events that were signed are missing at the end", "%d < %s" % (record.size, checkpoint.size))


def check_9_nothing_added(record, last):
    if record.size > last.size:
        raise Failed(9, "there are more events than were signed", "at index %s" % last.size)
    if record.cut_off:
        raise Failed(9, "there are bytes after the last line of events.ndjson", "at index %d" % record.size)


def check_10_epochs(record, checkpoints):
    newest = 1
    for index, epoch in record.restorations:
        if epoch is None or epoch <= newest:
            raise Failed(10, "a LogRestored that opens no later epoch", "at index %d" % index)
        newest = epoch
    for checkpoint in checkpoints:
        epoch = max([1] + [epoch for index, epoch in record.restorations if index < checkpoint.size])
        if checkpoint.epoch != epoch:
            raise Failed(10, "the checkpoint names epoch %s, but the events are in epoch %d" % (checkpoint.epoch, epoch),
                         "at size %s" % checkpoint.size)


def check_11_nothing_lost(lost, record, accept_restored):
    if lost and not accept_restored:
        kept = max(lost, key=lambda checkpoint: checkpoint.size)
        index = min(index for index, epoch in record.restorations if epoch > kept.epoch)
        raise Failed(11, "a backup with %d events was taken into service; later ones that a kept checkpoint covers were lost"
                     % index, "%d < %s" % (index, kept.size))


def check_12_environments(record):
    if record.unfolded is not None:
        raise Failed(12, "the event of an environment is not in its form, or does not follow the ones before",
                     "at index %d" % record.unfolded)
    return [{"active": environment.active, "id": name, "release": environment.release}
            for name, environment in sorted(record.environments.items(), key=lambda item: utf16(item[0]))
            if environment.release > 0]


def check_13_manifest(data, files, last, record, environments):
    expected = canonical_json({
        "environments": environments,
        "files": files,
        "format": "switchyard-evidence/1",
        "origin": last.origin.decode("ascii"),
        "root": text_of_base64(record.root),
        "size": record.size,
        "workspace": last.workspace.decode("ascii"),
    })
    if data != expected.encode("utf-8") + b"\n":
        raise Failed(13, "manifest.json is not what follows from the other files")


# --------------------------------------------------------------------------------------------------------------- all of it at once

Outcome = namedtuple("Outcome", "verdict detail line size root")


def examine(directory, keys=(), checkpoints=(), accept_restored=False):
    """All checks in their order. The first that fails decides."""
    size = root = None
    with contextlib.ExitStack() as open_files:
        try:
            pubkeys, signed, manifest, events = check_1_files(directory, open_files)
            trusted = check_2_keys(pubkeys, keys)
            bundled, kept = check_3_checkpoints(signed, "checkpoints.txt", trusted), []
            for path in checkpoints:
                with open(path, "rb") as file:
                    kept += check_3_checkpoints(file.read(), ascii(str(path)), trusted)
            check_4_no_fork(bundled + kept)
            check_5_one_log_in_order(bundled, kept)

            last = bundled[-1]
            record = check_6_events(events, last.workspace, {checkpoint.size for checkpoint in bundled + kept})
            lost = [checkpoint for checkpoint in kept if ended_before(checkpoint, record)]
            binding = bundled + [checkpoint for checkpoint in kept if not ended_before(checkpoint, record)]
            check_7_roots(record, binding)
            check_8_nothing_missing(record, binding)
            check_9_nothing_added(record, last)

            size, root = record.size, text_of_base64(record.root)
            check_10_epochs(record, binding)
            check_11_nothing_lost(lost, record, accept_restored)
            environments = check_12_environments(record)
            files = {"checkpoints.txt": hashlib.sha256(signed).hexdigest(), "events.ndjson": record.sha256,
                     "pubkeys.txt": hashlib.sha256(pubkeys).hexdigest()}
            check_13_manifest(manifest, files, last, record, environments)
        except Failed as failure:
            return Outcome(failure.verdict, failure.detail, failure.line, size, root)
    detail = "%d events, root %s" % (size, root)
    return Outcome("ok", detail, "OK " + detail, size, root)


def verify(directory, keys=(), checkpoints=(), accept_restored=False):
    """(exit code, detail). `keys` are public keys as text, `checkpoints` paths. Raises OSError if one of these cannot be read."""
    outcome = examine(directory, keys, checkpoints, accept_restored)
    return EXIT_CODES[outcome.verdict], outcome.detail


# ------------------------------------------------------------------------------------------------------------------ command line

class CommandLine(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(64, "%s: %s\n" % (self.prog, message))


def parse_command_line(arguments):
    summary, _, explanation = (__doc__ or "").partition("\n\n")
    parser = CommandLine(prog="verify_evidence.py", description=summary, epilog=explanation.partition("\n\n")[2],
                         formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("directory", metavar="DIR", help="the folder of the evidence bundle")
    parser.add_argument("--key", metavar="PUBLIC_KEY", action="append", default=[],
                        help="a public key to trust, as you got it by another way than the bundle (repeatable); "
                             "without it, all keys in the bundle are trusted")
    parser.add_argument("--checkpoint", metavar="FILE", action="append", default=[],
                        help="checkpoints that you have kept, from an earlier bundle, a receipt or a webhook (repeatable)")
    parser.add_argument("--accept-restored", action="store_true",
                        help="do not count it as TRUNCATED that events under a kept checkpoint were lost, "
                             "if the record itself says that a backup was taken into service")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_command_line(arguments)
    try:
        outcome = examine(options.directory, options.key, options.checkpoint, options.accept_restored)
        exit_code = EXIT_CODES[outcome.verdict]
        if options.json:
            print(json.dumps({"verdict": outcome.verdict, "exitCode": exit_code, "detail": outcome.detail,
                              "size": outcome.size, "root": outcome.root}))
        else:
            print(outcome.line)
            if exit_code == 0 and not options.key:
                print("note: without --key, the keys are those that the bundle itself names")
            if exit_code == 0 and not options.checkpoint:
                print("note: without --checkpoint, nothing shows that the log never held other or later events")
        sys.stdout.flush()
        return exit_code
    except (Exception, KeyboardInterrupt) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        print("verify_evidence.py: not verified: %s" % why, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
