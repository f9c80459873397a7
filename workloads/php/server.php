<?php
// Servers on PHP's streams: php server.php CASE
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

$case = $argv[1];
$listener = stream_socket_server('tcp://127.0.0.1:8000', $number, $error, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN,
    stream_context_create(['socket' => ['backlog' => 200]]));
if (!$listener) exit("$error\n");

/** Serves all clients with stream_select(); $at_report and $at_the_end say what is wrong with /report. */
function serve($listener, bool $drop_at_report, bool $keep_at_end, int $fork_at = 0): void {
    $clients = [];
    $kept = [];
    $faulty = [];
    $forked = false;
    while (true) {
        $ready = [$listener, ...$clients];
        $none = null;
        stream_select($ready, $none, $none, 1);
        foreach ($ready as $stream) {
            if ($stream === $listener) {
                $client = stream_socket_accept($listener);
                $clients[(int) $client] = $client;
                continue;
            }
            $data = fread($stream, 8192);
            $id = (int) $stream;
            if ($data === '' || $data === false) {
                unset($clients[$id]);
                if ($keep_at_end && ($faulty[$id] ?? false)) $kept[$id] = $stream;
                else fclose($stream);
                continue;
            }
            $faulty[$id] = str_contains($data, '/report');
            fwrite($stream, OK);
            if ($drop_at_report && $faulty[$id]) {
                $kept[$id] = $stream;
                unset($clients[$id]);
            }
        }
        if ($fork_at > 0 && !$forked && count($clients) >= $fork_at) {
            $forked = true;
            if (pcntl_fork() === 0) while (true) sleep(60); // a background job, with copies of everything
        }
    }
}

/** One client after the other; the page waits for a lock that another program holds. */
function one_by_one($listener): void {
    $other = popen('exec flock ' . escapeshellarg(getenv('SCRATCH') . '/lock') . ' sleep 600', 'r');
    usleep(200_000);
    $lock = fopen(getenv('SCRATCH') . '/lock', 'c');
    while ($client = stream_socket_accept($listener, -1)) {
        fread($client, 8192);
        flock($lock, LOCK_EX);
        fwrite($client, OK);
        fclose($client);
    }
}

/** Streams a table to clients that have sent their question and its end. */
function rows($listener): void {
    $clients = [];
    while (true) {
        $ready = [$listener];
        $none = null;
        if (stream_select($ready, $none, $none, 0, 50_000)) {
            $client = stream_socket_accept($listener);
            stream_get_contents($client);
            $clients[] = $client;
        }
        foreach ($clients as $client) fwrite($client, 'row,' . str_repeat('x', 80) . "\n");
    }
}

match ($case) {
    'missing-close' => serve($listener, false, true),
    'forgotten' => serve($listener, true, false),
    'inherited' => serve($listener, false, false, 25),
    'accept-backlog' => one_by_one($listener),
    'half-close' => rows($listener),
};
