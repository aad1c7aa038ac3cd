<?php

// PHP with nothing but its curl extension: a confidential client and a public one, as a small site would write them.

declare(strict_types=1);

require __DIR__ . '/checks.php';

const SCOPE = 'profile email links:read';

function base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

/** One request; answers [status, decoded JSON or null]. */
function request(string $path, ?array $form = null, array $options = []): array
{
    $curl = curl_init(ISSUER . $path);
    curl_setopt_array($curl, $options + [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
        CURLOPT_PROXY => '',
    ]);
    if ($form !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($form));
    }
    $body = curl_exec($curl);
    if ($body === false) {
        throw new RuntimeException(curl_error($curl));
    }
    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), json_decode($body, true)];
}

function userinfo(string $token): array
{
    return request('/oauth/userinfo', null, [CURLOPT_HTTPHEADER => ["Authorization: Bearer $token"]]);
}

/** How a client proves itself: [form members, curl options]. */
function credentials(array $client): array
{
    if ($client['client_secret'] === '') {
        return [['client_id' => $client['client_id']], []];
    }
    // RFC 6749 §2.3.1: both halves are form-encoded before they become Basic credentials.
    $pair = rawurlencode($client['client_id']) . ':' . rawurlencode($client['client_secret']);
    return [[], [CURLOPT_USERPWD => $pair]];
}

function codeFlow(string $name, array $client): void
{
    [$members, $options] = credentials($client);
    $verifier = base64url(random_bytes(32));
    $state = base64url(random_bytes(16));

    $code = check("$name: the redirect carries the state and the issuer", function () use ($client, $verifier, $state) {
        $asked = [
            'response_type' => 'code',
            'client_id' => $client['client_id'],
            'redirect_uri' => $client['redirect_uri'],
            'scope' => SCOPE,
            'state' => $state,
            'code_challenge' => base64url(hash('sha256', $verifier, true)),
            'code_challenge_method' => 'S256',
        ];
        $back = person(ISSUER . '/oauth/authorize?' . http_build_query($asked));
        equal($back['state'] ?? null, $state, 'state');
        equal($back['iss'] ?? null, ISSUER, 'iss');
        return $back['code'];
    });

    $tokens = check("$name: the code is exchanged for tokens", function () use ($client, $code, $verifier, $members, $options) {
        [$status, $answer] = request('/oauth/token', $members + [
            'grant_type' => 'authorization_code',
            'code' => $code,
            'redirect_uri' => $client['redirect_uri'],
            'code_verifier' => $verifier,
        ], $options);
        equal($status, 200, 'the status of ' . json_encode($answer));
        equal(strtolower($answer['token_type']), 'bearer', 'token_type');
        return $answer;
    });

    check("$name: userinfo names the person", function () use ($tokens) {
        [$status, $claims] = userinfo($tokens['access_token']);
        equal($status, 200, 'the status');
        equal($claims['preferred_username'], getenv('PERSON_USERNAME'), 'preferred_username');
        equal(array_diff(['sub', 'name', 'email', 'email_verified'], array_keys($claims)), [], 'what is missing');
    });

    $rotated = check("$name: the refresh token is rotated", function () use ($tokens, $members, $options) {
        $asked = ['grant_type' => 'refresh_token', 'refresh_token' => $tokens['refresh_token']];
        [$status, $answer] = request('/oauth/token', $members + $asked, $options);
        equal($status, 200, 'the status of ' . json_encode($answer));
        equal($answer['refresh_token'] !== $tokens['refresh_token'], true, 'a new refresh token');
        return $answer;
    });

    check("$name: userinfo refuses with 401 after the refresh token was revoked", function () use ($rotated, $members, $options) {
        [$status] = request('/oauth/revoke', $members + ['token' => $rotated['refresh_token']], $options);
        equal($status, 200, 'the status of the revocation');
        equal(userinfo($rotated['access_token'])[0], 401, 'the status of userinfo');
    });
}

function machine(array $client): void
{
    check('php machine: client_credentials gives a token', function () use ($client) {
        [$members, $options] = credentials($client);
        [$status, $answer] = request('/oauth/token', $members + ['grant_type' => 'client_credentials'], $options);
        equal($status, 200, 'the status of ' . json_encode($answer));
        [, $known] = request('/oauth/introspect', $members + ['token' => $answer['access_token']], $options);
        equal([$known['active'], $known['scope']], [true, 'links:read'], 'active and scope');
    });
}

journey(fn () => codeFlow('php public', CLIENTS['public']));
journey(fn () => codeFlow('php confidential', CLIENTS['confidential']));
journey(fn () => machine(CLIENTS['machine']));
finish();
