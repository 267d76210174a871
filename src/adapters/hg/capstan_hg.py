# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Mercurial extension. It imports Mercurial, so this one file is under Mercurial's licence, the GNU General Public License,
# version 2 or any later version; it runs in processes of its own and talks to the rest of Capstan over pipes and sockets.
#
# `hg capstan` answers one question as JSON or bytes, or does one change; `hg capstan-serve` runs Mercurial's own hgweb on a unix
# socket. Who may do what was decided before; what a command is, and whether this end may write, Mercurial decides.
"""Capstan's reads, changes and HTTP end of Mercurial storage"""

import base64
import ctypes
import gc
import io
import json
import os
import re
import resource
import select
import signal
import socket
import stat
import sys
import traceback

from mercurial import (
    bundle2,
    changegroup,
    context,
    discovery,
    error,
    exchange,
    extensions,
    filelog,
    hg,
    match as matchmod,
    merge as mergemod,
    mergestate,
    obsolete,
    phases,
    pushkey,
    registrar,
    revlog,
    scmutil,
    streamclone,
    transaction,
    unionrepo,
    wireprotoserver,
)
from mercurial.hgweb import hgweb_mod, server as hgwebserver
from mercurial.node import bin, hex, nullid
from mercurial.utils import stringutil

cmdtable = {}
command = registrar.command(cmdtable)
configtable = {}
configitem = registrar.configitem(configtable)
# What this process may do to the storage that it opens: `read`, `write` (each change is told to the server first), `scratch`.
configitem(b'capstan', b'end', default=b'read')
configitem(b'capstan', b'socket', default=b'')
configitem(b'capstan', b'push', default=b'')

HEX = re.compile(r'^[0-9a-f]{40}$')
ID = re.compile(r'^[0-9a-z](?:[0-9a-z-]{0,62}[0-9a-z])?$')
MOST_CONFLICTS = 1000
MOST_CACHED = 200000
# Children that wait for a client, and the status of one that got none.
SPARE = 2
UNUSED = 3
# A child of the end that cannot write answers so many requests of one client of ours, waits so many seconds for the next, and ends before that
# when it has become larger than so many KiB.
MOST_REQUESTS = 200
LINGER = 3
LARGEST_LINGERING = 96 << 10


def text(data):
    return data.decode('utf-8', 'surrogateescape')


def data(word):
    return word.encode('utf-8', 'surrogateescape')


def limitmemory():
    most = int(os.environ.get('CAPSTAN_HG_MEMORY', '0'))
    if most:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# ---- Changes: each is told to the server before Mercurial commits it -----------------------------------------------------


def reposetup(ui, repo):
    if not repo.local():
        return
    end = ui.config(b'capstan', b'end')
    if end == b'scratch':
        return
    repo.ui.setconfig(b'hooks', b'pretxnopen.capstan', beforechange if end == b'write' else refusechange, b'capstan')
    repo.ui.setconfig(b'hooks', b'pretxnclose.capstan', askserver if end == b'write' else refusechange, b'capstan')


def refusechange(ui, repo, **kwargs):
    raise error.Abort(b'this end cannot write')


def beforechange(ui, repo, **kwargs):
    repo = repo.unfiltered()
    repo._capstan_before = refsof(repo)
    repo._capstan_heads = set(repo.heads())


def askserver(ui, repo, **kwargs):
    repo = repo.unfiltered()
    before = getattr(repo, '_capstan_before', {})
    after = refsof(repo)
    changes = [
        {'ref': text(ref), 'from': before.get(ref), 'to': after.get(ref)}
        for ref in sorted(set(before) | set(after))
        if before.get(ref) != after.get(ref)
    ]
    named = set(after.values())
    # A head that no ref leads to (a second one of its branch that is not the tip, or a closed one) is a change all the same.
    for node in repo.heads():
        if node not in repo._capstan_heads and text(hex(node)) not in named and node != nullid:
            changes.append({'ref': 'refs/changesets/%s' % text(hex(node)), 'from': None, 'to': text(hex(node))})
    if not changes:
        return
    answer = tell(ui, {'push': text(ui.config(b'capstan', b'push')), 'changes': changes})
    if answer != 'ok':
        raise error.Abort(data('refused: %s' % answer))
    tr = repo.currenttransaction()
    if tr:
        tr.addpostclose(b'capstan-sync', lambda tr: syncstorage(repo))


def tell(ui, message):
    path = ui.config(b'capstan', b'socket')
    if not path:
        return 'there is nobody to record it'
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(60)
            peer.connect(path)
            peer.sendall(json.dumps(message).encode('ascii') + b'\n')
            answer = b''
            while not answer.endswith(b'\n'):
                piece = peer.recv(4096)
                if not piece:
                    return 'the server has gone'
                answer += piece
            return text(answer[:-1])
    except OSError as problem:
        return 'the server cannot be asked (%s)' % problem.__class__.__name__


# Mercurial syncs nothing by itself. What was acknowledged must survive a power cut.
def syncstorage(repo):
    folder = os.open(os.path.join(repo.sharedpath, b'store'), os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(folder) != 0:
            raise error.Abort(b'the disk cannot be synced')
    finally:
        os.close(folder)


# ---- Reads ----------------------------------------------------------------------------------------------------------------


def refsof(repo):
    served = repo.filtered(b'served')
    refs = {}
    for branch, heads, tip, closed in served.branchmap().iterbranches():
        if not closed:
            refs[b'refs/heads/' + branch] = text(hex(tip))
    for tag, node in served.tags().items():
        if tag != b'tip' and node != nullid and node in served:
            refs[b'refs/tags/' + tag] = text(hex(node))
    for bookmark, node in served._bookmarks.items():
        refs[b'refs/bookmarks/' + bookmark] = text(hex(node))
    return refs


def resolve(repo, revision):
    """The changeset of a full ref name or full id, or None"""
    if HEX.match(revision):
        node = bin(data(revision))
        # All ones is a working copy, of which there is none.
        if revision == 'f' * 40:
            return None
        return repo[node] if node != nullid and repo.changelog.hasnode(node) else None
    kind, _, name = revision.removeprefix('refs/').partition('/')
    name = data(name)
    node = None
    if kind == 'heads':
        branches = repo.branchmap()
        if branches.hasbranch(name):
            tip, closed = branches._branchtip(branches[name])
            node = None if closed else tip
    elif kind == 'tags' and name != b'tip':
        node = repo.tags().get(name)
    elif kind == 'bookmarks':
        node = repo._bookmarks.get(name)
    elif kind == 'changesets':
        return resolve(repo, text(name)) if HEX.match(text(name)) else None
    return repo[node] if node and node != nullid and repo.changelog.hasnode(node) else None


def idof(ctx):
    return None if ctx is None else text(ctx.hex())


def commitof(ctx):
    seconds, offset = ctx.date()
    sign, minutes = ('-' if offset > 0 else '+'), abs(offset) // 60
    user = ctx.user()
    return {
        'id': idof(ctx),
        'number': ctx.rev(),
        'parents': [idof(parent) for parent in ctx.parents() if parent.node() != nullid],
        'name': text(stringutil.person(user)),
        'email': text(stringutil.email(user)) if b'@' in user or b'<' in user else '',
        'at': int(seconds * 1000),
        'zone': '%s%02d%02d' % (sign, minutes // 60, minutes % 60),
        'message': text(ctx.description()),
        'branch': text(ctx.branch()),
    }


cached = {}


def folders(repo, ctx):
    """Every folder of a changeset's manifest: {folder: {name: full path of a file, or None for a folder}}. Kept for the next question."""
    key = (repo.root, ctx.node())
    if key in cached:
        return cached[key]
    found = {b'': {}}
    for path in ctx.manifest():
        folder, _, name = path.rpartition(b'/')
        while folder not in found:
            found[folder] = {}
            above, _, last = folder.rpartition(b'/')
            found.setdefault(above, {})[last] = None
            if above == b'':
                break
            if above in found and len(found[above]) > 1:
                break
            folder = above
        found.setdefault(path.rpartition(b'/')[0], {})[name] = path
    # A folder may have been met first through a deeper one.
    for folder in list(found):
        while folder:
            above, _, last = folder.rpartition(b'/')
            found.setdefault(above, {}).setdefault(last, None)
            folder = above
    if sum(len(names) for names in cached.values()) + len(ctx.manifest()) > MOST_CACHED:
        cached.clear()
    cached[key] = found
    return found


def splitoid(repo, oid):
    """The changeset and path of an opaque id of a tree or blob"""
    node, mark, path = oid.partition(':')
    ctx = resolve(repo, node)
    if ctx is None or not mark:
        raise error.Abort(b'no such object')
    return ctx, data(path)


def fileentry(ctx, path, name):
    fctx = ctx[path]
    flags = fctx.flags()
    kind = ('link', '120000') if b'l' in flags else ('blob', '100755' if b'x' in flags else '100644')
    return {'name': text(name), 'mode': kind[1], 'type': kind[0], 'oid': '%s:%s' % (idof(ctx), text(path)), 'size': fctx.size()}


def folderentry(ctx, path, name):
    return {'name': text(name), 'mode': '040000', 'type': 'tree', 'oid': '%s:%s' % (idof(ctx), text(path)), 'size': None}


def entry(repo, treeish, path):
    ctx, top = splitoid(repo, treeish) if ':' in treeish else (resolve(repo, treeish), b'')
    if ctx is None:
        return None
    full = b'/'.join(part for part in (top, data(path)) if part)
    name = full.rpartition(b'/')[2]
    if full == b'':
        return folderentry(ctx, b'', b'')
    if full in ctx:
        return fileentry(ctx, full, name)
    return folderentry(ctx, full, name) if full in folders(repo, ctx) else None


def tree(repo, oid):
    ctx, path = splitoid(repo, oid)
    names = folders(repo, ctx).get(path)
    if names is None:
        raise error.Abort(b'no such folder')
    below = path + b'/' if path else b''
    return [
        folderentry(ctx, below + name, name) if full is None else fileentry(ctx, full, name) for name, full in sorted(names.items())
    ]


def log(repo, revision, limit, skip, without):
    ctx = resolve(repo, revision)
    if ctx is None:
        return []
    other = resolve(repo, without) if without else None
    revs = repo.revs(b'reverse(only(%d, %d))', ctx.rev(), other.rev()) if other else repo.revs(b'reverse(::%d)', ctx.rev())
    found = []
    for at, rev in enumerate(revs):
        if at >= skip + limit:
            break
        if at >= skip:
            found.append(commitof(repo[rev]))
    return found


def history(repo, ask):
    """Changesets by their numbers, from one end of a range; None when there is no such branch"""
    if ask['branch'] is None:
        revs = repo.changelog.revs()
    else:
        branch = data(ask['branch'].removeprefix('refs/heads/'))
        if not repo.branchmap().hasbranch(branch):
            return None
        revs = repo.revs(b'branch(%s)', b'literal:' + branch)
        revs.sort()
    first = 0 if ask['from'] is None else ask['from']
    last = len(repo.changelog) if ask['to'] is None else ask['to']
    since, until = ask['since'], ask['until']
    found = []
    for rev in reversed(list(revs)) if ask['order'] == 'newest-first' else revs:
        if len(found) >= ask['limit']:
            break
        if not first <= rev <= last:
            continue
        ctx = repo[rev]
        at = int(ctx.date()[0] * 1000)
        if (since is None or at >= since) and (until is None or at <= until):
            found.append(commitof(ctx))
    return found


def commitat(repo, number):
    changelog = repo.changelog
    return text(hex(changelog.node(number))) if number in changelog and number >= 0 else None


def numberof(repo, revision):
    ctx = resolve(repo, revision)
    return None if ctx is None else ctx.rev()


def lookup(repo, word):
    try:
        # By the symbol alone: nothing here is ever read as an expression.
        ctx = scmutil.revsymbol(repo, data(word))
    except (error.LookupError, error.RepoLookupError):
        return None
    return None if ctx.rev() is None or ctx.node() == nullid else idof(ctx)


def base(repo, ours, theirs, source):
    both = repo if source is None else unionrepo.makeunionrepository(repo.baseui, repo.root, data(source))
    one, two = resolve(both, ours), resolve(both, theirs)
    if one is None or two is None:
        return None
    found = one.ancestor(two)
    return None if found.node() == nullid else idof(found)


def changed(repo, revision):
    """The files that a changeset adds, changes and removes, against its first parent"""
    ctx = resolve(repo, revision)
    if ctx is None:
        return None
    status = repo.status(ctx.p1(), ctx)
    kinds = {'added': status.added, 'changed': status.modified, 'removed': status.removed}
    return {kind: [text(path) for path in paths] for kind, paths in kinds.items()}


def checkout(repo, oid, folder, bytes_, files):
    """Writes the files below a folder of a changeset, never through a link and never outside of `folder`"""
    ctx, top = splitoid(repo, oid)
    below = top + b'/' if top else b''
    folder = data(folder)
    links = set()
    left = bytes_
    for path in ctx.manifest().walk(matchmod.match(repo.root, b'', [b'path:' + top]) if top else matchmod.always()):
        if not path.startswith(below):
            continue
        parts = path[len(below) :].split(b'/')
        if any(part in (b'', b'.', b'..') or b'\0' in part or part.lower() in (b'.hg', b'.git') for part in parts):
            return {'refused': 'a name that would lead outside'}
        if any(b'/'.join(parts[:depth]) in links for depth in range(1, len(parts))):
            return {'refused': 'a name below a link'}
        files -= 1
        left -= ctx[path].size()
        if files < 0 or left < 0:
            return {'refused': 'more than the limit'}
        target = b'/'.join([folder] + parts)
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        content = ctx[path].data()
        if b'l' in ctx[path].flags():
            links.add(b'/'.join(parts))
            os.symlink(content, target)
            continue
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if b'x' in ctx[path].flags() else 0o644)
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
    return {'refused': None}


# ---- Acts -----------------------------------------------------------------------------------------------------------------


def author(request):
    name = ' '.join(re.sub(r'[\x00-\x1f\x7f<>]', ' ', request['name']).split()) or 'unknown'
    email = re.sub(r'[\x00-\x20\x7f<>]', '', request['email'])
    return data('%s <%s>' % (name, email) if email else name)


def dateof(request):
    return b'%d 0' % (request['at'] // 1000)


def commit(repo, request):
    branch = data(request['branch'].removeprefix('refs/heads/'))
    with repo.wlock(), repo.lock(), repo.transaction(b'capstan-commit'):
        now = resolve(repo, request['branch'])
        if idof(now) != request['parent']:
            return {'conflict': True}
        parent = now if now is not None else repo[nullid]
        manifest = parent.manifest()
        changes = {}
        for file in request['files']:
            path = data(file['path'])
            content = None if file['content'] is None else base64.b64decode(file['content'])
            # What is at the path goes, a folder as well; and a file on the way to it.
            for old in manifest.walk(matchmod.match(repo.root, b'', [b'path:' + path])):
                changes.setdefault(old, None)
            parts = path.split(b'/')
            for depth in range(1, len(parts)):
                if content is not None and b'/'.join(parts[:depth]) in manifest:
                    changes[b'/'.join(parts[:depth])] = None
            if content is not None:
                changes[path] = (content, file['executable'])
            elif path in changes:
                changes[path] = None

        def filectx(repo, memctx, path):
            made = changes[path]
            return None if made is None else context.memfilectx(repo, memctx, path, made[0], isexec=made[1])

        made = context.memctx(
            repo,
            (parent.node(), nullid),
            data(request['message']),
            sorted(path for path in changes if changes[path] is not None or path in manifest),
            filectx,
            user=author(request['author']),
            date=dateof(request['author']),
            branch=branch,
        )
        node = repo.commitctx(made)
        return {'commit': text(hex(node))}


def setbookmarks(repo, updates):
    with repo.wlock(), repo.lock(), repo.transaction(b'bookmarks') as tr:
        changes = []
        for update in updates:
            name = data(update['ref'].removeprefix('refs/bookmarks/'))
            now = repo._bookmarks.get(name)
            if (text(hex(now)) if now else None) != update['from']:
                return {'conflict': True}
            target = resolve(repo, update['to']) if update['to'] else None
            if update['to'] and target is None:
                return {'conflict': True}
            changes.append((name, target.node() if target else None))
        repo._bookmarks.applychanges(repo, tr, changes)
        return {'conflict': False}


def fork(repo, dest):
    """A full copy: nothing of it is shared, not even by hard links"""
    dest = data(dest)
    with repo.lock():
        for folder, names, files in os.walk(repo.path):
            inside = os.path.relpath(folder, repo.path)
            target = dest if inside == b'.' else os.path.join(dest, inside)
            os.makedirs(target, mode=0o700, exist_ok=True)
            if inside == b'.':
                names[:] = [name for name in names if name in (b'store', b'cache')]
            for name in files:
                wanted = name in (b'requires', b'00changelog.i', b'bookmarks', b'capstan-refs') if inside == b'.' else True
                full = os.path.join(folder, name)
                if not wanted or name in (b'lock', b'wlock') or name.startswith((b'journal', b'undo')) or not stat.S_ISREG(os.lstat(full).st_mode):
                    continue
                with open(full, 'rb') as source, open(os.path.join(target, name), 'wb') as copy:
                    while piece := source.read(1 << 20):
                        copy.write(piece)
        folder = os.open(dest, os.O_RDONLY)
        ctypes.CDLL(None).syncfs(folder)
        os.close(folder)
    return {}


def merge(repo, request):
    """Puts two changesets together in a throw-away working copy: a share of this storage, or a clone when the other is not in it"""
    ui = repo.baseui
    scratch = data(request['scratch'])
    ours, source = request['ours'], request['source']
    if source is not None or not request['keep']:
        ui.setconfig(b'capstan', b'end', b'scratch', b'capstan')
    if source is None:
        hg.share(ui, repo.root, dest=scratch, update=False, bookmarks=False)
        other = hg.repository(ui, scratch)
    else:
        hg.clone(ui, {}, repo.root, dest=scratch, pull=False, update=False)
        other = hg.repository(ui, scratch)
        exchange.pull(other, hg.peer(ui, {}, data(source)), heads=[bin(data(request['theirs']))], force=True)
    one, two = resolve(other, ours), resolve(other, request['theirs'])
    if one is None or two is None:
        return {'conflict': True}
    if one.branch() == two.branch() and one.ancestor(two) == one:
        # Mercurial makes no merge of a changeset and what comes after it.
        return {'forward': True} if request['keep'] else {'conflicts': []}
    for ctx in (one, two):
        manifest = ctx.manifest()
        if b'.hgsub' in ctx:
            return {'refused': 'subrepositories cannot be merged here'}
        if len(manifest) > request['limit_files'] or sum(ctx[path].size() for path in manifest) > request['limit_bytes']:
            return {'refused': 'the working copy would be too large'}
    with other.wlock():
        mergemod.update(one)
        mergemod.merge(two, labels=[b'target', b'source'], force=False)
        conflicts = sorted(mergestate.mergestate.read(other).unresolved())
        if conflicts:
            return {'conflicts': [text(path) for path in conflicts[:MOST_CONFLICTS]]}
        if not request['keep']:
            return {'conflicts': []}
        about = request['commit']
        other.dirstate.setbranch(one.branch())
        if source is None and idof(resolve(other, request['branch'])) != ours:
            return {'conflict': True}
        node = other.commit(data(about['message']), user=author(about['author']), date=dateof(about['author']))
    return {'commit': text(hex(node)), 'pull': source is not None}


def pull(repo, request):
    """Brings a changeset and all that it leads to from another storage, if a branch is still where it was"""
    with repo.wlock(), repo.lock():
        if idof(resolve(repo, request['branch'])) != request['ours']:
            return {'conflict': True}
        peer = hg.peer(repo.baseui, {}, data(request['source']))
        exchange.pull(repo, peer, heads=[bin(data(request['revision']))], force=True)
        return {'commit': request['revision']}


def recover(repo, request):
    with repo.lock():
        if not repo.svfs.exists(b'journal'):
            return {'recovered': False}
        return {'recovered': bool(repo.recover())}


@command(b'capstan', [], b'QUESTION')
def capstan(ui, repo, question):
    ask = json.loads(question)
    # What Mercurial says on the way is no part of the answer.
    out = ui.fout
    for one in (ui, repo.ui, repo.baseui):
        one.fout = io.BytesIO()
        one.quiet = True
    served = repo.filtered(b'served')
    what = ask['do']
    if what == 'blob':
        ctx, path = splitoid(served, ask['oid'])
        fctx = ctx[path]
        large = fctx.size() > ask['limit']
        out.write(b'0' if large else b'1' + fctx.data())
        return 0
    if what in ('commit', 'merge'):
        ask.update(json.loads(b''.join(iter(lambda: ui.fin.read(1 << 20), b''))))
    answers = {
        'refs': lambda: {text(ref): node for ref, node in refsof(repo).items()},
        'resolve': lambda: idof(resolve(served, ask['revision'])),
        'lookup': lambda: lookup(served, ask['word']),
        'count': lambda: len(served.changelog),
        'entry': lambda: entry(served, ask['treeish'], ask['path']),
        'tree': lambda: tree(served, ask['oid']),
        'log': lambda: log(served, ask['revision'], ask['limit'], ask['skip'], ask['without']),
        'base': lambda: base(served, ask['ours'], ask['theirs'], ask['source']),
        'changed': lambda: changed(served, ask['revision']),
        'changes': lambda: [changed(served, revision) for revision in ask['revisions']],
        'history': lambda: history(served, ask),
        'commit-at': lambda: commitat(served, ask['number']),
        'number-of': lambda: numberof(served, ask['revision']),
        'checkout': lambda: checkout(served, ask['oid'], ask['folder'], ask['limit_bytes'], ask['limit_files']),
        'commit': lambda: commit(repo, ask),
        'bookmarks': lambda: setbookmarks(repo, ask['updates']),
        'fork': lambda: fork(repo, ask['dest']),
        'merge': lambda: merge(repo, ask),
        'pull': lambda: pull(repo, ask),
        'recover': lambda: recover(repo, ask),
    }
    out.write(json.dumps(answers[what]()).encode('ascii'))
    return 0


# ---- hgweb on a unix socket -----------------------------------------------------------------------------------------------


def small():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LARGEST_LINGERING


class Handler(hgwebserver._httprequesthandler):
    """One request, or several of one storage: hgweb's own handler, with the storage taken from headers that only the server sets"""

    timeout = 600
    requests = 0
    repository = None
    sending = False

    def handle(self):
        while True:
            self.close_connection = True
            self.complete = self.sending = False
            signal.alarm(int(os.environ.get('CAPSTAN_HG_SECONDS', '3600')))
            self.handle_one_request()
            if self.close_connection or not self.complete or not small():
                return
            if not select.select([self.connection], [], [], LINGER)[0]:
                return

    def lingers(self):
        """Whether one more request may come by the same way: after reads without a body, because nothing of them is left to be read, or to be known"""
        return (
            self.command == 'GET'
            and self.saved_status.startswith('200 ')
            and 'content-length' not in self.headers
            and 'transfer-encoding' not in self.headers
            and self.server.ui.config(b'capstan', b'end') == b'read'
            and self.requests < MOST_REQUESTS
            and small()
        )

    def end_headers(self):
        if self.sending and self.lingers():
            self.send_header('Keep-Alive', 'timeout=%d' % LINGER)
        else:
            self.send_header('Connection', 'close')
        super().end_headers()

    def do_hgweb(self):
        self.sent_headers = False
        self._chunked = False
        self.length = None
        self.requests += 1
        about = self.server
        repository = self.headers.get('x-capstan-repository', '')
        if not ID.match(repository) or self.repository not in (None, repository):
            return self.plain('400 Bad Request')
        self.repository = repository
        self.sending = True
        ui = about.ui.copy()
        ui.setconfig(b'capstan', b'push', data(self.headers.get('x-capstan-push', '')), b'capstan')
        repo = hg.repository(ui, data('%s/%s.hg' % (about.root, repository)))
        app = hgweb_mod.hgweb(repo, baseui=ui)

        def application(env, respond):
            return app(env, respond)

        about.application = application
        super().do_hgweb()
        self.complete = self.length in (None, 0)

    def plain(self, status):
        self._start_response(status, [('Content-Length', '0')])
        self._write(b'')

    def log_request(self, code='-', size='-'):
        pass


class End:
    """What the handler expects of its server"""

    prefix = b''
    server_name = 'localhost'
    server_port = 0
    serverheader = b''
    application = None

    def __init__(self, ui, root):
        self.ui = ui
        self.root = root
        self.errorlog = self.accesslog = sys.stderr.buffer


def interrupted(*_):
    raise KeyboardInterrupt


def answerone(end, connection):
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGALRM, interrupted)
    limitmemory()
    status = 1
    try:
        Handler(connection, ('localhost', 0), end)
        status = 0
    except KeyboardInterrupt:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        os._exit(status)


def warm(ui, folder):
    """Loads what the first requests need, on an empty repository, so that every child has it from the start"""
    for module in (bundle2, changegroup, exchange, streamclone, discovery, filelog, obsolete, phases, pushkey, revlog, transaction):
        module.__doc__
    ui = ui.copy()
    ui.setconfig(b'capstan', b'end', b'scratch', b'capstan')
    hg.repository(ui, folder, create=True)
    for query in ('cmd=capabilities', 'cmd=branchmap', 'cmd=listkeys&namespace=bookmarks', 'cmd=getbundle&bundlecaps=HG20'):
        env = {
            'REQUEST_METHOD': 'GET',
            'SERVER_NAME': 'localhost',
            'SERVER_PORT': '0',
            'SCRIPT_NAME': '',
            'PATH_INFO': '/',
            'QUERY_STRING': query,
            'REMOTE_ADDR': 'localhost',
            'wsgi.url_scheme': 'http',
            'wsgi.input': io.BytesIO(),
            'wsgi.errors': sys.stderr,
            'wsgi.multithread': False,
            'wsgi.multiprocess': True,
        }
        for _ in hgweb_mod.hgweb(hg.repository(ui, folder), baseui=ui)(env, lambda *args: None):
            pass


@command(b'capstan-serve', [], b'SOCKET ROOT', norepo=True)
def serve(ui, path, root):
    # A child ends with its request, or soon after: what it took of memory is given back, and what it broke is gone.
    end = End(ui, text(root))

    def leave(*_):
        # Children roll back what they were at, and only then is this over.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, 2.5)
        try:
            while os.waitpid(-1, 0):
                pass
        except ChildProcessError:
            os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    os.umask(0o077)
    warm(ui, path + b'-warm')
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(128)
        # Whom the next client meets is there already: making a child takes longer than most answers.
        taken, taking = os.pipe()
        for _ in range(SPARE):
            child(end, listener, taking)
        os.write(1, b'ready\n')
        while True:
            readable, _, _ = select.select([taken, 0], [], [], 1)
            ended = 0
            try:
                while (gone := os.waitpid(-1, os.WNOHANG))[0]:
                    # One that ended before it took anybody is to be replaced as well.
                    ended += gone[1] == UNUSED << 8
            except ChildProcessError:
                pass
            # The server that started us has gone: what is still at work must not change anything behind the next one's back.
            if 0 in readable and not os.read(0, 1):
                leave()
            for _ in range(ended + (len(os.read(taken, 64)) if taken in readable else 0)):
                child(end, listener, taking)


def child(end, listener, taking):
    if os.fork():
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    os.close(0)
    try:
        connection, _ = listener.accept()
        os.write(taking, b'.')
        listener.close()
    except OSError:
        os._exit(UNUSED)
    answerone(end, connection)


def uisetup(ui):
    if os.environ.get('CAPSTAN_HG_LIMIT') == 'now':
        limitmemory()
    extensions.wrapfunction(wireprotoserver, 'handlewsgirequest', onlyprotocol)


def onlyprotocol(original, rctx, req, res, checkperm):
    """Mercurial's protocol and nothing else of hgweb: no pages, no archives"""
    if original(rctx, req, res, checkperm):
        return True
    res.status = b'400 unknown command'
    res.headers[b'Content-Type'] = wireprotoserver.HGTYPE
    res.setbodybytes(b'0\nunknown command\n')
    return True
