import { C_EXPRESSIONS } from './numbers.ts';

/** What the C program prints: values of expressions, and structs as hexadecimal bytes. */
export type Measured = { numbers: Record<string, number>; structs: Record<string, string> };

// The TCP states come from linux/bpf.h: netinet/tcp.h, which has them too, does not go together with linux/tcp.h.
const HEADERS = `
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
static void hex(const char *name, const void *bytes, size_t size, const char *end) {
  printf("\\"%s\\": \\"", name);
  for (size_t i = 0; i < size; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
  printf("\\"%s\\n", end);
}`;

const number = (expression: string): string =>
  `  printf("\\"%s\\": %lld,\\n", "${expression}", (long long)(${expression}));`;

/** Fields get values that differ in every byte that is read. */
const STRUCTS = `
  struct nlmsghdr header = { .nlmsg_len = sizeof header + 3, .nlmsg_type = 0x1122, .nlmsg_flags = 0x3344, .nlmsg_seq = 0x55667788 };
  hex("nlmsghdr", &header, sizeof header, ",");
  struct inet_diag_req_v2 v2 = { .sdiag_family = AF_INET6, .sdiag_protocol = IPPROTO_TCP,
    .idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = 1 << BPF_TCP_CLOSE_WAIT };
  hex("inet_diag_req_v2", &v2, sizeof v2, ",");
  struct inet_diag_req v1 = { .idiag_family = AF_INET, .idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = 1 << BPF_TCP_CLOSE_WAIT };
  hex("inet_diag_req", &v1, sizeof v1, ",");
  struct {
    struct inet_diag_msg msg;
    struct nlattr info_header; struct tcp_info info;
    struct nlattr cgroup_header; __u8 cgroup[8];
  } __attribute__((packed)) answer;
  memset(&answer, 0, sizeof answer);
  answer.msg = (struct inet_diag_msg){ .idiag_family = AF_INET, .idiag_state = BPF_TCP_CLOSE_WAIT, .idiag_timer = 2,
    .idiag_retrans = 9, .id = { .idiag_sport = htons(8000), .idiag_dport = htons(40000), .idiag_src = { htonl(0x0a000001) },
    .idiag_dst = { htonl(0x0a000005) }, .idiag_if = 77, .idiag_cookie = { 0x11111111, 0x22222222 } },
    .idiag_expires = 1001, .idiag_rqueue = 1002, .idiag_wqueue = 1003, .idiag_uid = 1004, .idiag_inode = 1005 };
  answer.info_header = (struct nlattr){ .nla_len = sizeof(struct nlattr) + sizeof answer.info, .nla_type = INET_DIAG_INFO };
  answer.info.tcpi_last_data_sent = 2001; answer.info.tcpi_last_ack_sent = 2002;
  answer.info.tcpi_last_data_recv = 2004; answer.info.tcpi_last_ack_recv = 2003; answer.info.tcpi_pmtu = 2005;
  answer.cgroup_header = (struct nlattr){ .nla_len = sizeof(struct nlattr) + 8, .nla_type = INET_DIAG_CGROUP_ID };
  memcpy(answer.cgroup, &(__u64){ 4242 }, 8);
  hex("inet_diag_msg", &answer, sizeof answer, "");`;

/** A program that prints a Measured as JSON. */
export const cSource = (): string => `${HEADERS}
int main(void) {
  printf("{\\"numbers\\": {\\n");
${C_EXPRESSIONS.map(number).join('\n')}
  printf("\\"end\\": 0}, \\"structs\\": {\\n");
${STRUCTS}
  printf("}}\\n");
  return 0;
}
`;
