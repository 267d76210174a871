/** What plugins that are installed are given and what is made of what they say: facts of the host, which its tests hold. */
const installedPlugins = `## Plugins that are installed

A package is a folder with \`plugin.spec.yaml\` and one program in \`bin\` (or in \`workspace/bin\`, \`python/src/bin\` or \`usr/local/bin\`, as images of published plugins
have it; where there are several files, the one that begins with \`komand_\` or \`icon_\`). \`plugin.install\` takes a folder below the plugin root, an archive or an image;
\`capstan plugin check <folder>\` tries a package without a server. [examples/plugins](../examples/plugins/README.md) has one of each kind.

### What a process of a plugin finds

| | |
| --- | --- |
| verb | \`run\`, \`test\` or \`http\` as its only word, with \`--port\` behind \`http\` |
| standard input | the message; never in the arguments |
| working folder | the package (its inner folder where it has \`workspace\` or \`python/src\`); in http mode a folder of the process's own, because newer runtimes read \`GUNICORN_CONFIG_FILE\` there only |
| environment | \`PATH\`, \`HOME\` and \`TMPDIR\` (\`/tmp\`), \`LANG=C.UTF-8\`, \`PYTHONUNBUFFERED\`, \`PYTHONDONTWRITEBYTECODE\`, \`SSL_CERT_FILE\`, \`SSL_CERT_DIR\`, \`REQUESTS_CA_BUNDLE\` and the like for pip and Node, the proxy that is its only way out, and for Python \`PYTHONPATH\`; nothing of the server's, and no \`PLUGIN_RUNTIME_ENVIRONMENT\` |
| \`meta\` | \`workflow_uid\`, \`workflow_version_uid\` and \`step_uid\`; for a trigger those of the first workflow that it starts, and \`trigger_config_id\`; \`{}\` in a test |
| connection, input | \`{}\` when there are none, never null. Optional inputs that were left out have the default of the spec or the zero of their type, because runtimes apply no defaults |
| dispatcher of a trigger | \`url\`, and an empty \`webhook_url\`, without which the Python runtimes stop |

Its answer is the last JSON object on standard output that is an envelope: one that begins a line, else one that stands behind text without a line break. Text
before it is log text, and so is standard error. The status in the envelope counts, not the exit code. Without a whole envelope the call has failed, and the last
line of standard error says why. Plugins in Go have \`output\` and \`error\` in every answer, their log under \`string\`, and say nothing when their set-up fails: all of
that is read. NUL is left out of texts.

In http mode a date in an output of a plugin in Python arrives as text, where command line mode ends in half a document. Only the log in the envelope is kept;
what is printed besides is lost, but a broken answer comes with what was said on standard error since the call began, unless other calls were carried meanwhile.

### Plugins in Python

The first line of the program chooses the interpreter where it names a version (\`#!/usr/bin/env python3.9\`, or a path to one) and that one is installed; else it is
\`plugins.python\`. At installation a virtual environment is made with it, once, from \`requirements.txt\`. Published plugins do not name their runtime there, because
the images that they were built on had it: what the package imports decides, and that runtime is added.

1. First exactly what is asked for is installed, and the runtime must load.
2. If that fails, the runtime is installed by itself, and then what it needs in whatever versions go together today. Most old versions only work so:
   the table says why.
3. If that fails too, or no index is reachable, the interpreter alone has to do, with the package on \`PYTHONPATH\`; so a runtime that is laid into the package
   works offline. When the plugin does not start with it either, the installation fails and says what is missing.

Seen with Python 3.11, \`komand\` with 3.13 too; of 4.5.1, 5.0.0 and 6.0.0 only that they install and load.

| runtime | how it is installed | in http mode | a failure on purpose | log |
| --- | --- | --- | --- | --- |
| \`komand\` 3.2.0, the only version on the index (no 1.x is there) | 2: a package that it pins cannot be built since Python 3.9, its Flask does not load with a Jinja2 of today, its validator not since Python 3.10. It needs \`pkg_resources\` and \`gunicorn.six\` without saying so; both are provided | listens on port 10001 of every address, whatever it is told; no \`/api/v1\` | text only, no \`exception\` | in the envelope and on standard error; a trigger's second and later logs begin with NULs |
| \`insightconnect-plugin-runtime\` 4.0.0 | not at all: files are missing in it | | | |
| 4.0.3 | 2: it installs, but its Flask does not load | as \`komand\` | text only | as \`komand\` |
| 4.10.1, and 4.5.1 and 5.0.0 alike | 2: its gevent cannot be built | heeds \`GUNICORN_CONFIG_FILE\` | with \`exception\` | on standard output before the envelope; in http mode in the envelope |
| 5.6.1, 6.0.0, 6.6.0 | 1 | as before, but only a bare file name | with \`exception\`; from 6 on the parts of \`error\` are joined by spaces, with no colon before the data | as before; from 5 on it hides passwords by itself as well |
| 6.6.1 | 2 where the index lacks one version that it pins | as before | as before | as before |

One that takes no word for where it listens (the first three, and compiled plugins) stays in http mode only where its network is cut off, that is behind
bubblewrap; elsewhere each call has a process of its own.

A runtime keeps a connection for as long as its process lives. So each connection has processes of its own, and they are ended when it is changed or deleted. A
trigger of the Python runtimes posts an event once, and goes on whatever the answer is; one in Go stops for good unless it is answered 200 within 5 seconds.
`

export { installedPlugins }
