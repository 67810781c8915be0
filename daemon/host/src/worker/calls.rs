//! System calls by number, in words for the report of one that is not allowed.

/// What a plugin did, with the system call's name behind it: "opened a file (openat)".
pub(super) fn words(number: u32) -> String {
    let number = libc::c_long::from(number.cast_signed());
    match KNOWN
        .iter()
        .chain(OLDER)
        .find(|(known, ..)| *known == number)
    {
        Some((_, name, did)) => format!("{did} ({name})"),
        None => format!("made system call {number}"),
    }
}

macro_rules! known {
    ($($did:literal: $($call:ident $name:literal),+;)+) => {
        &[$($((libc::$call, $name, $did),)+)+]
    };
}

type Known = &'static [(libc::c_long, &'static str, &'static str)];

const KNOWN: Known = known! {
    "opened a socket": SYS_socket "socket", SYS_socketpair "socketpair";
    "used the network": SYS_connect "connect", SYS_bind "bind", SYS_listen "listen",
        SYS_accept "accept", SYS_accept4 "accept4", SYS_sendto "sendto", SYS_recvfrom "recvfrom",
        SYS_sendmsg "sendmsg", SYS_recvmsg "recvmsg", SYS_setsockopt "setsockopt",
        SYS_getsockopt "getsockopt", SYS_getsockname "getsockname", SYS_shutdown "shutdown";
    "opened a file": SYS_openat "openat", SYS_openat2 "openat2",
        SYS_name_to_handle_at "name_to_handle_at", SYS_open_by_handle_at "open_by_handle_at",
        SYS_memfd_create "memfd_create";
    "looked at files": SYS_newfstatat "newfstatat", SYS_statx "statx", SYS_faccessat "faccessat",
        SYS_faccessat2 "faccessat2", SYS_readlinkat "readlinkat", SYS_getdents64 "getdents64",
        SYS_getcwd "getcwd", SYS_statfs "statfs", SYS_chdir "chdir";
    "changed files": SYS_unlinkat "unlinkat", SYS_renameat2 "renameat2", SYS_mkdirat "mkdirat",
        SYS_linkat "linkat", SYS_symlinkat "symlinkat", SYS_fchmodat "fchmodat",
        SYS_fchownat "fchownat", SYS_truncate "truncate", SYS_ftruncate "ftruncate",
        SYS_mknodat "mknodat", SYS_utimensat "utimensat";
    "started a program": SYS_execve "execve", SYS_execveat "execveat";
    "started a process": SYS_clone "clone", SYS_clone3 "clone3";
    "sent a signal": SYS_kill "kill", SYS_tkill "tkill", SYS_tgkill "tgkill",
        SYS_rt_sigqueueinfo "rt_sigqueueinfo", SYS_pidfd_send_signal "pidfd_send_signal";
    "changed its signals": SYS_rt_sigaction "rt_sigaction";
    "looked into another process": SYS_ptrace "ptrace", SYS_process_vm_readv "process_vm_readv",
        SYS_process_vm_writev "process_vm_writev", SYS_pidfd_open "pidfd_open",
        SYS_pidfd_getfd "pidfd_getfd";
    "changed its limits": SYS_prlimit64 "prlimit64", SYS_prctl "prctl", SYS_seccomp "seccomp";
    "waited for something": SYS_ppoll "ppoll", SYS_pselect6 "pselect6",
        SYS_epoll_create1 "epoll_create1", SYS_eventfd2 "eventfd2", SYS_wait4 "wait4";
    "used the kernel's queues": SYS_io_uring_setup "io_uring_setup", SYS_io_setup "io_setup",
        SYS_bpf "bpf", SYS_userfaultfd "userfaultfd", SYS_perf_event_open "perf_event_open";
    "made a descriptor": SYS_pipe2 "pipe2", SYS_dup "dup", SYS_dup3 "dup3", SYS_fcntl "fcntl";
    "changed the system": SYS_mount "mount", SYS_unshare "unshare", SYS_setns "setns",
        SYS_chroot "chroot", SYS_setuid "setuid", SYS_setgid "setgid", SYS_reboot "reboot";
};

/// Those that only older machines have.
#[cfg(target_arch = "x86_64")]
const OLDER: Known = known! {
    "opened a file": SYS_open "open", SYS_creat "creat";
    "looked at files": SYS_stat "stat", SYS_lstat "lstat", SYS_access "access",
        SYS_readlink "readlink", SYS_getdents "getdents";
    "changed files": SYS_unlink "unlink", SYS_rename "rename", SYS_mkdir "mkdir",
        SYS_rmdir "rmdir", SYS_link "link", SYS_symlink "symlink", SYS_chmod "chmod",
        SYS_chown "chown";
    "started a process": SYS_fork "fork", SYS_vfork "vfork";
    "waited for something": SYS_poll "poll", SYS_select "select", SYS_alarm "alarm";
    "made a descriptor": SYS_pipe "pipe", SYS_dup2 "dup2";
};
#[cfg(not(target_arch = "x86_64"))]
const OLDER: Known = &[];
