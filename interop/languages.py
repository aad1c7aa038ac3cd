"""The languages: which tools each needs, how its libraries are installed, which programs it runs."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INSTALL_TIMEOUT_S = 600


@dataclasses.dataclass(frozen=True)
class Language:
    """One row: `install` are commands run in the folder `name`, `programs` are (program, command) pairs.

    In every word, {source} is the language's folder here, {cache} its folder for everything that can be made again,
    {examples} the folder of the samples.
    """

    name: str
    tools: tuple
    install: tuple
    programs: tuple
    probe: tuple = ()
    environment: tuple = ()
    copied: tuple = ()


LANGUAGES = (
    Language("person", ("python3",), (), (("person", ("python3", "person_checks.py")),)),
    Language(
        "python", ("python3",),
        install=(
            ("python3", "-m", "venv", "{cache}/venv"),
            ("{cache}/venv/bin/pip", "install", "--quiet", "--require-hashes", "-r", "requirements.txt"),
        ),
        programs=(
            ("authlib", ("{cache}/venv/bin/python", "authlib_flow.py")),
            ("requests-oauthlib", ("{cache}/venv/bin/python", "requests_oauthlib_flow.py")),
            ("authlib-tinyemail", ("{cache}/venv/bin/python", "tinyemail_flow.py")),
            ("requests-oauthlib-surfaces", ("{cache}/venv/bin/python", "surfaces_flow.py")),
            ("flask", ("{cache}/venv/bin/python", "php_endpoints_flow.py")),
        ),
        probe=("python3", "-c", "import ensurepip, venv"),
    ),
    Language(
        "node", ("node", "npm"),
        # npm insists on node_modules beside the package, and the sources stay clean: so they are copied to the cache.
        install=(("npm", "ci", "--silent", "--ignore-scripts", "--prefix", "{cache}"),),
        programs=(
            ("openid-client", ("node", "{cache}/openid_client.mjs")),
            ("simple-oauth2", ("node", "{cache}/simple_oauth2.mjs")),
            ("passport-oauth2", ("node", "{cache}/passport_oauth2.mjs")),
            ("simple-oauth2-surfaces", ("node", "{cache}/simple_oauth2_surfaces.mjs")),
            ("passport-oauth2-surfaces", ("node", "{cache}/passport_oauth2_surfaces.mjs")),
            ("oauth4webapi-surfaces", ("node", "{cache}/oauth4webapi_surfaces.mjs")),
        ),
        copied=("package.json", "package-lock.json", ".npmrc", "*.mjs"),
    ),
    Language(
        "go", ("go",),
        install=(("go", "build", "-mod=readonly", "-o", "{cache}/flow", "."),),
        programs=(("x-oauth2", ("{cache}/flow",)), ("x-oauth2-surfaces", ("{cache}/flow", "surfaces"))),
        # A Go that is too old is to say so, not to download another.
        environment=(("GOFLAGS", "-buildvcs=false"), ("GOTOOLCHAIN", "local")),
    ),
    Language(
        "java", ("java", "javac", "mvn"),
        install=(
            ("mvn", "--quiet", "--batch-mode", "-Dcache={cache}", "compile", "dependency:copy-dependencies",
             "-DincludeScope=runtime", "-DoutputDirectory={cache}/libraries"),
            ("sh", "-c", "cd {cache}/libraries && sha256sum --check --strict --quiet {source}/libraries.sha256"),
        ),
        programs=(("nimbus", ("java", "-cp", "{cache}/classes:{cache}/libraries/*", "interop.Main")),),
    ),
    Language(
        "rust", ("cargo",),
        install=(("cargo", "build", "--quiet", "--locked", "--target-dir", "{cache}"),),
        programs=(("oauth2", ("{cache}/debug/grantry-interop",)),),
    ),
    Language(
        "php", ("php",), (), (("curl", ("php", "flow.php")), ("php-endpoints", ("php", "php_endpoints_flow.php"))),
        probe=("php", "-r", "exit(extension_loaded('curl') ? 0 : 1);"),
    ),
    Language(
        "shell", ("bash", "curl", "jq"), (),
        (
            ("tinyemail-curl", ("bash", "tinyemail.sh")),
            ("tinyplus-curl", ("bash", "tinyplus.sh")),
            ("tinyrebrand-curl", ("bash", "tinyrebrand.sh")),
            ("paced-curl", ("bash", "paced.sh")),
        ),
    ),
    Language("examples", ("python3", "node", "curl", "openssl"), (), (("examples", ("python3", "examples_checks.py")),)),
)


def missing(language):
    """What this machine lacks for a language, or None."""
    for tool in language.tools:
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if language.probe and subprocess.run(language.probe, capture_output=True).returncode != 0:
        return f"`{' '.join(language.probe)}` failed"
    return None


def source(language):
    """The folder that a language's programs run in: its own, or this one for those that share it."""
    own = HERE / language.name
    return own if own.is_dir() else HERE


def words(language, cache, command):
    """A command with its folders filled in."""
    places = {"source": source(language), "cache": cache, "examples": HERE.parent / "examples"}
    return [word.format(**places) for word in command]


def install(language, cache):
    """Installs a language's libraries and compiles its programs, unless that was done for exactly these sources.

    Returns None, or the whole log of what failed.
    """
    if not language.install:
        return None
    folder, stamp = source(language), cache / "installed"
    print_of_sources = fingerprint(folder, language)
    if stamp.exists() and stamp.read_text() == print_of_sources:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for pattern in language.copied:
        for path in folder.glob(pattern):
            shutil.copy(path, cache / path.name)
    log = []
    for command in language.install:
        done = subprocess.run(
            words(language, cache, command), cwd=folder, env={**os.environ, **dict(language.environment)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=INSTALL_TIMEOUT_S,
        )
        log += [f"$ {' '.join(done.args)}", done.stdout]
        if done.returncode != 0:
            return "\n".join(log)
    stamp.write_text(print_of_sources)
    return None


def fingerprint(folder, language):
    """Changes whenever a source, a lock file, a tool or a row of the table changes."""
    tools = [os.path.realpath(shutil.which(tool)) for tool in language.tools]
    digest = hashlib.sha256(repr((language, tools, sys.version)).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
