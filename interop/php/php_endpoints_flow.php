<?php

// php-endpoints, called by the site in php_endpoints_site.php, and once more call by call.

declare(strict_types=1);

require __DIR__ . '/checks.php';

const API = SURFACES['php-endpoints'];
const SITE = CLIENTS['php-endpoints site'];
const CLIENT = CLIENTS['php-endpoints'];

/** One request; answers [status, body as text, headers by their lower-case names]. */
function request(string $url, ?array $form = null, array $headers = []): array
{
    $seen = [];
    $curl = curl_init($url);
    curl_setopt_array($curl, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
        CURLOPT_PROXY => '',
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$seen): int {
            [$name, $value] = explode(':', $line, 2) + [1 => ''];
            $seen[strtolower($name)] = trim($value);
            return strlen($line);
        },
    ]);
    if ($form !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($form));
    }
    $body = curl_exec($curl);
    if ($body === false) {
        throw new RuntimeException(curl_error($curl));
    }
    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $body, $seen];
}

/** Asks for a token; answers [status, decoded answer]. */
function token(array $form): array
{
    [$status, $body] = request(API . '/api/token.php', $form);
    return [$status, json_decode($body, true, flags: JSON_THROW_ON_ERROR)];
}

function userinfo(string $token): array
{
    return request(API . '/api/userinfo.php', null, ["Authorization: Bearer $token"]);
}

function isListening(int $port): bool
{
    try {
        return fsockopen('127.0.0.1', $port) !== false;
    } catch (ErrorException) {
        return false;
    }
}

/** Runs the site while `body` runs. */
function withSite(callable $body): void
{
    $command = [PHP_BINARY, '-S', '127.0.0.1:' . getenv('SAMPLE_PORT'), __DIR__ . '/php_endpoints_site.php'];
    $environment = [
        'API' => API,
        'CLIENT_ID' => SITE['client_id'],
        'CLIENT_SECRET' => SITE['client_secret'],
        'REDIRECT_URI' => SITE['redirect_uri'],
    ];
    $site = proc_open($command, [['file', '/dev/null', 'r'], STDERR, STDERR], $pipes, null, $environment + getenv());
    try {
        $until = microtime(true) + 10;
        while (!isListening((int) getenv('SAMPLE_PORT'))) {
            equal(microtime(true) < $until, true, 'that the site listens');
            usleep(20_000);
        }
        $body('http://127.0.0.1:' . getenv('SAMPLE_PORT'));
    } finally {
        proc_terminate($site);
        proc_close($site);
    }
}

function site(): void
{
    withSite(function (string $site): void {
        check('php site: a person signs in at php-endpoints and is greeted', function () use ($site) {
            [$status, , $headers] = request("$site/");
            equal($status, 302, 'the status of the site');
            [$status, $greeting] = request(landing($headers['location']));
            $expected = 'Welcome, ' . getenv('PERSON_USERNAME') . ' (' . getenv('PERSON_NAME') . ')';
            equal([$status, $greeting], [200, $expected], 'the greeting');
        });
        check('php site: a code that nobody gave is invalid_code', function () use ($site) {
            equal(array_slice(request("$site/callback?code=made-up"), 0, 2), [502, '400 invalid_code'], 'the answer');
        });
        check('php site: no code at all is invalid_request', function () use ($site) {
            equal(array_slice(request("$site/callback"), 0, 2), [502, '400 invalid_request'], 'the answer');
        });
    });
}

function calls(): void
{
    $form = check('php-endpoints calls: a raw redirect URI comes back with a code', function () {
        $query = 'client_id=' . CLIENT['client_id'] . '&redirect_uri=' . CLIENT['redirect_uri'] . '&response_type=code';
        $back = person(API . "/api/authorize.php?$query");
        equal(array_keys($back), ['code'], 'the parameters');
        return $back + ['client_id' => CLIENT['client_id'], 'client_secret' => CLIENT['client_secret']];
    });
    check('php-endpoints calls: a wrong secret is invalid_client, a missing one invalid_request', function () use ($form) {
        [$status, $answer] = token(['client_secret' => 'wrong'] + $form);
        equal([$status, $answer['error']], [401, 'invalid_client'], 'the answer to a wrong one');
        [$status, $answer] = token(array_diff_key($form, ['client_secret' => '']));
        equal([$status, $answer['error']], [400, 'invalid_request'], 'the answer to none');
        equal(array_keys($answer), ['error', 'error_description'], 'the members');
    });
    $token = check('php-endpoints calls: the same code is then exchanged for three members', function () use ($form) {
        [$status, $answer] = token($form);
        equal($status, 200, 'the status of ' . json_encode($answer));
        equal(array_keys($answer), ['access_token', 'token_type', 'expires_in'], 'the members');
        equal([$answer['token_type'], $answer['expires_in']], ['Bearer', 3600], 'type and lifetime');
        return $answer['access_token'];
    });
    check('php-endpoints calls: userinfo has three members, and says how often one may ask', function () use ($token) {
        [$status, $body, $headers] = userinfo($token);
        equal($status, 200, 'the status');
        equal(json_decode($body, true), [
            'username' => getenv('PERSON_USERNAME'),
            'email' => getenv('PERSON_EMAIL'),
            'full_name' => getenv('PERSON_NAME'),
        ], 'the person');
        equal($headers['x-ratelimit-limit'] ?? null, '60', 'X-RateLimit-Limit');
        equal($headers['x-ratelimit-remaining'] ?? null, '59', 'X-RateLimit-Remaining');
    });
    check('php-endpoints calls: a code that is sent again is invalid_code, and ends its token', function () use ($form, $token) {
        [$status, $answer] = token($form);
        equal([$status, $answer['error']], [400, 'invalid_code'], 'the answer');
        [$status, $body, $headers] = userinfo($token);
        equal([$status, json_decode($body, true)['error']], [401, 'invalid_token'], 'the answer of userinfo');
        equal(str_starts_with($headers['www-authenticate'], 'Bearer'), true, 'the challenge');
    });
    check('php-endpoints calls: no token is refused with JSON too', function () {
        [$status, $body] = request(API . '/api/userinfo.php');
        equal([$status, json_decode($body, true)['error']], [401, 'invalid_token'], 'the answer');
    });
}

journey(site(...));
journey(calls(...));
finish();
