<?php

// Checks that print one line each, and the environment that `run` sets.

declare(strict_types=1);

define('ISSUER', getenv('ISSUER'));
define('SURFACES', json_decode(getenv('SURFACES'), true, flags: JSON_THROW_ON_ERROR));
define('CLIENTS', json_decode(getenv('CLIENTS'), true, flags: JSON_THROW_ON_ERROR));

/** A check failed; those that would build on it make no sense any more. */
final class Stopped extends Exception
{
    public static bool $hasHappened = false;
}

/** Prints `ok NAME`, or `not ok NAME: why` if the body throws, and then ends the journey. */
function check(string $name, callable $body): mixed
{
    try {
        $value = $body();
    } catch (Throwable $why) {
        Stopped::$hasHappened = true;
        fwrite(STDERR, "$why\n");
        echo "not ok $name: ", preg_replace('/\s+/', ' ', $why->getMessage()), "\n";
        throw new Stopped($name);
    }
    echo "ok $name\n";
    return $value;
}

function journey(callable $steps): void
{
    try {
        $steps();
    } catch (Stopped) {
    }
}

function finish(): never
{
    exit(Stopped::$hasHappened ? 1 : 0);
}

function equal(mixed $actual, mixed $expected, string $what): void
{
    if ($actual !== $expected) {
        throw new UnexpectedValueException("$what is " . json_encode($actual) . ', expected ' . json_encode($expected));
    }
}

/** Sends the person through the pages; answers the address that leads back. */
function landing(string $url): string
{
    exec(escapeshellarg(getenv('PERSON')) . ' ' . escapeshellarg($url), $lines, $status);
    equal($status, 0, 'the exit code of the person');
    return $lines[0];
}

/** Sends the person through the pages; answers the parameters of the address that leads back. */
function person(string $url): array
{
    parse_str((string) parse_url(landing($url), PHP_URL_QUERY), $back);
    return $back;
}

// A notice or warning is a bug in this program: let no check pass over it.
set_error_handler(function (int $kind, string $text, string $file, int $line): never {
    throw new ErrorException($text, 0, $kind, $file, $line);
});
