export const HELP = `unclosed: which TCP connections an application forgot to close (CLOSE_WAIT), in which
process, since when, and what to do now.

Usage
  unclosed [PID] [options]       report on this machine (same as: unclosed report [PID])
  unclosed watch [PID]           live: leaks as they grow: unclosed help watch
  unclosed check                 a check for Nagios, Icinga and others: unclosed help check
  unclosed record DIR            save what the kernel says, for a report elsewhere
  unclosed read FILE...          the report on what lsof, ss or netstat printed elsewhere
  unclosed demo                  the report on a small leaking server, on loopback
  unclosed doctor                which ways to look this machine allows, and how to get more
  unclosed explain [CAUSE]       what a cause means, how to be sure, how to fix it
  unclosed inspect PID           look inside: threads, lines of code, objects, logs
  unclosed bundle PID            all of that in one archive, for whoever can mend it
  unclosed relieve PID           what helps now with the least harm; a dry run unless --yes
  unclosed tune [PID]            kernel parameters: what they change here, and what not
  unclosed help COMMAND          the options of a command

What to report
  -p, --pid PID                  sockets of this process (may be given several times)
      --port PORT                local or remote port
      --peer ADDRESS             10.0.0.7, 10.0.0.7:5432, [fe80::1]:443 or 10.0.0.0/8
  -c, --command NAME             processes whose name begins with NAME
      --unit UNIT                processes of a systemd unit
      --container NAME           processes of a container or pod, by name or id
      --netns NAME               sockets of a network namespace, by name or number
  -4, -6                         IPv4 or IPv6 only
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck: 90s, 5m, 1h (default 60s)

What is alarming (also in /etc/unclosed/config.toml; docs/configuration.md)
      --warning-sockets COUNT    more stuck sockets than this (default 100)
      --warning-age, --critical-age DURATION
                                 older than this (default 5m and 30m) ...
      --age-sockets COUNT        ... with at least so many stuck (default 10)
      --critical-fd-share SHARE  of the descriptor limit in CLOSE_WAIT (default 50%)
      --critical-fds-left SHARE  less than this of the descriptors free (default 5%)
      --warning-full-in, --critical-full-in DURATION
                                 descriptors run out within this (default 24h and 2h)
      --config FILE              read limits from this file as well
                                 (off instead of a value turns a limit off)

How to report it
      --sockets                  list every CLOSE_WAIT socket
      --all                      every finding in full, ordinary churn included
      --json                     the stable machine form (schema/report.json)
  -n, --numeric                  no names of users and services
      --no-color                 no colour (also: NO_COLOR, or not a terminal)
  -v, --verbose                  say what was read, and how

Where to look
      --from DIR                 a recording instead of this machine
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto: the best
                                 that this machine allows)
      --all-holders              look at every process for further holders of a socket
      --held auto|always|never   search all processes for descriptors of closed
                                 sockets; auto searches when counters say there are some

  -h, --help                     this text
      --version                  the version

Exit codes
  0 nothing is stuck   1 something is   2 could not look   70 a fault of unclosed

Examples
  sudo unclosed                  everything that is stuck on this machine
  sudo unclosed 812 --sockets    each socket of process 812 with its age
  sudo unclosed --peer 10.0.4.7:6379
  sudo unclosed record /tmp/leak --scrub
  unclosed --from /tmp/leak --json | jq .findings
  ssh db-1 sudo ss -tanpi | unclosed read
`;
