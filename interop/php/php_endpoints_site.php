<?php

// A small site that signs people in at php-endpoints, as one is written from that API's own page: no grant_type, no
// state, and nothing but PHP's curl extension. The built-in web server runs it: php -S 127.0.0.1:PORT php_endpoints_site.php

declare(strict_types=1);

define('API', getenv('API'));
define('CLIENT', ['client_id' => getenv('CLIENT_ID'), 'client_secret' => getenv('CLIENT_SECRET')]);

/** One request; answers [status, decoded JSON]. */
function call(string $path, array $options): array
{
    $curl = curl_init(API . $path);
    curl_setopt_array($curl, $options + [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 10, CURLOPT_PROXY => '']);
    $body = curl_exec($curl);
    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), json_decode((string) $body, true)];
}

function fail(int $status, array $answer): void
{
    http_response_code(502);
    echo "$status {$answer['error']}";
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/':
        $asked = ['client_id' => CLIENT['client_id'], 'redirect_uri' => getenv('REDIRECT_URI'), 'response_type' => 'code'];
        header('Location: ' . API . '/api/authorize.php?' . http_build_query($asked));
        break;
    case '/callback':
        $form = http_build_query(['code' => $_GET['code'] ?? ''] + CLIENT);
        [$status, $answer] = call('/api/token.php', [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $form]);
        if (!isset($answer['access_token'])) {
            fail($status, $answer);
            break;
        }
        $header = ['Authorization: Bearer ' . $answer['access_token']];
        [$status, $person] = call('/api/userinfo.php', [CURLOPT_HTTPHEADER => $header]);
        $status === 200 ? print("Welcome, {$person['username']} ({$person['full_name']})") : fail($status, $person);
        break;
    default:
        http_response_code(404);
}
