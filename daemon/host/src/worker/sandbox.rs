//! How a worker seals itself in, in two stages, without any privilege.
//!
//! ```text
//! before the library is loaded   landlock: read the system's libraries and the plugin, nothing else;
//!                                seccomp: a list of what a loader and a computation need
//! after                          seccomp: no file is opened or looked at, no thread is started
//! ```
//!
//! A call beyond that is not made: the kernel sends SIGSYS, whose handler reports the call's number to
//! the other side and ends the process.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    fs::File,
    io, mem,
    os::fd::{AsRawFd, FromRawFd, RawFd},
    path::Path,
    ptr,
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, getpid, getppid, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::frame::{Kind, raw_head};

/// The socket's place in every worker.
const SOCKET: RawFd = 3;
/// Descriptors that loading a library may need beside the four that are open.
const DESCRIPTORS_MAX: u64 = 32;
/// How a worker ends that tried what is not allowed.
const EXIT_FORBIDDEN: i32 = 31;
/// Where libraries and what finds them are; what is not there is left out.
const LIBRARIES: [&str; 8] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/nix/store",
    "/gnu/store",
];

/// Takes the socket from standard input and closes every other descriptor that came along.
pub(super) fn only_socket() -> io::Result<File> {
    let null = File::open("/dev/null")?;
    // SAFETY: these change descriptors by number, and no owner of them exists yet: this process has just
    // begun. `null` is closed with the others at the end, and is forgotten here.
    unsafe {
        check(libc::dup3(0, SOCKET + 1, libc::O_CLOEXEC))?;
        check(libc::dup2(null.as_raw_fd(), 0))?;
        mem::forget(null);
        check(libc::dup3(SOCKET + 1, SOCKET, libc::O_CLOEXEC))?;
        // Kernels before 5.9 don't have it; what this daemon opens is closed by exec there.
        libc::syscall(libc::SYS_close_range, SOCKET + 1, u32::MAX, 0);
        libc::close(SOCKET + 1);
        Ok(File::from_raw_fd(SOCKET))
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Has the kernel end this process with the thread that started it.
pub(super) fn end_with_parent(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) == Some(parent) {
        return Ok(());
    }
    Err(io::Error::other("who started this process is gone"))
}

/// Bounds memory and descriptors; no core is written, and no file.
pub(super) fn limit(memory_bytes_max: u64) -> io::Result<()> {
    let limits = [
        (Resource::As, memory_bytes_max),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, DESCRIPTORS_MAX),
    ];
    for (resource, max) in limits {
        let limit = Rlimit {
            current: Some(max),
            maximum: Some(max),
        };
        setrlimit(resource, limit)
            .map_err(|error| io::Error::other(format!("{resource:?} can't be limited: {error}")))?;
    }
    // One heap for all threads: each further one reserves 64 MB of what was just limited.
    // SAFETY: this sets a number inside the C library; no other thread of ours runs yet.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
    Ok(())
}

/// The stage before the library is loaded. True where landlock takes part.
pub(super) fn first_stage(file: &Path) -> io::Result<bool> {
    let landlock = fence(file)
        .map_err(|error| io::Error::other(format!("landlock refused its rules: {error}")))?;
    report_forbidden()?;
    install(SeccompAction::Errno(errno(libc::ENOSYS)), absent())?;
    install_list(allowed()?)?;
    Ok(landlock.ruleset != RulesetStatus::NotEnforced)
}

/// The stage after the library was loaded, for all threads that it may have started.
pub(super) fn second_stage() -> io::Result<()> {
    let later = SeccompAction::Errno(errno(libc::EAGAIN));
    install(later, all(&[libc::SYS_clone]))?;
    // One way to ask about a descriptor is enough; C libraries go over to the other by themselves.
    let absent = SeccompAction::Errno(errno(libc::ENOSYS));
    install(absent, all(&[libc::SYS_statx]))?;
    install(SeccompAction::Trap, closed()?)
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

fn fence(file: &Path) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::Execute;
    let rules = LIBRARIES.iter().map(Path::new).chain([file]);
    let rules = rules.filter_map(|path| {
        let is_file = path.is_file();
        let access = if is_file {
            read
        } else {
            read | AccessFs::ReadDir
        };
        Some(Ok::<_, RulesetError>(PathBeneath::new(
            PathFd::new(path).ok()?,
            access,
        )))
    });
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V5))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(rules)?
        .restrict_self()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Answered as if the kernel had none of these: whoever asks has another way.
fn absent() -> Rules {
    all(&[libc::SYS_clone3, libc::SYS_ioctl])
}

/// What a loader, an allocator, threads and a computation need. Numbers only, and the two descriptors.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_getcpu,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // These two are answered by other filters.
    libc::SYS_clone3,
    libc::SYS_ioctl,
    // The second stage needs this one; a filter can only take away.
    libc::SYS_seccomp,
];

/// Those of older machines, by which libraries still ask.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLDER: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLDER: &[libc::c_long] = &[];

/// The first stage's list.
fn allowed() -> io::Result<Rules> {
    let mut rules = all(ALLOWED);
    rules.extend(all(ALLOWED_OLDER));
    let pid = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let thread = bits(libc::CLONE_THREAD);
    let reading = bits(
        libc::O_WRONLY
            | libc::O_RDWR
            | libc::O_CREAT
            | libc::O_TRUNC
            | libc::O_APPEND
            | libc::O_PATH,
    );
    let given = [
        // Files to read only.
        (
            libc::SYS_openat,
            vec![when(2, SeccompCmpOp::MaskedEq(reading), 0)?],
        ),
        // Threads, not processes.
        (
            libc::SYS_clone,
            vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?],
        ),
        // Signals to itself: abort() is one.
        (libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, pid)?]),
        // Its own limits, to read.
        (
            libc::SYS_prlimit64,
            vec![when(0, SeccompCmpOp::Eq, 0)?, when(2, SeccompCmpOp::Eq, 0)?],
        ),
        // Any signal but the one that reports.
        (
            libc::SYS_rt_sigaction,
            vec![when(0, SeccompCmpOp::Ne, bits(libc::SIGSYS))?],
        ),
    ];
    for (call, conditions) in given {
        rules.insert(
            call,
            vec![SeccompRule::new(conditions).map_err(io::Error::other)?],
        );
    }
    let harmless = [libc::PR_SET_NO_NEW_PRIVS, libc::PR_SET_NAME, PR_SET_VMA];
    rules.insert(libc::SYS_prctl, any_of(0, &harmless)?);
    // What a descriptor is, not a further one.
    let asking = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];
    rules.insert(libc::SYS_fcntl, any_of(1, &asking)?);
    Ok(rules)
}

/// Names anonymous memory; allocators use it.
const PR_SET_VMA: libc::c_int = 0x5356_4d41;

/// What the second stage takes away.
fn closed() -> io::Result<Rules> {
    let mut rules = all(&[
        libc::SYS_openat,
        libc::SYS_faccessat,
        libc::SYS_faccessat2,
        libc::SYS_readlinkat,
        libc::SYS_getcwd,
        libc::SYS_seccomp,
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.extend(all(&[
        libc::SYS_access,
        libc::SYS_readlink,
        libc::SYS_stat,
        libc::SYS_lstat,
    ]));
    // Of an open descriptor a library may ask: printf does. A filter sees no paths: a descriptor with a path that
    // begins at the root passes.
    let empty = bits(libc::AT_EMPTY_PATH);
    let rule = |one| SeccompRule::new(vec![one]).map_err(io::Error::other);
    let named = |flags| rule(when(flags, SeccompCmpOp::MaskedEq(empty), 0)?);
    let here = rule(when(0, SeccompCmpOp::Eq, bits(libc::AT_FDCWD))?)?;
    rules.insert(libc::SYS_newfstatat, vec![named(3)?, here]);
    rules.insert(libc::SYS_statx, vec![named(2)?]);
    Ok(rules)
}

/// Rules for an argument that is one of these.
fn any_of(argument: u8, values: &[libc::c_int]) -> io::Result<Vec<SeccompRule>> {
    let rule = |value: &libc::c_int| {
        let condition = when(argument, SeccompCmpOp::Eq, bits(*value))?;
        SeccompRule::new(vec![condition]).map_err(io::Error::other)
    };
    values.iter().map(rule).collect()
}

fn bits(number: libc::c_int) -> u64 {
    u64::from(number.cast_unsigned())
}

fn when(argument: u8, operation: SeccompCmpOp, value: u64) -> io::Result<SeccompCondition> {
    // The pointer of prlimit64 alone is wider, and only compared with 0.
    let width = if matches!((&operation, value), (SeccompCmpOp::Eq, 0)) {
        SeccompCmpArgLen::Qword
    } else {
        SeccompCmpArgLen::Dword
    };
    SeccompCondition::new(argument, width, operation, value).map_err(io::Error::other)
}

fn all(calls: &[libc::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// Everything that is not in the list traps.
fn install_list(rules: Rules) -> io::Result<()> {
    apply(rules, SeccompAction::Trap, SeccompAction::Allow)
}

/// What is in the list gets this answer.
fn install(answer: SeccompAction, rules: Rules) -> io::Result<()> {
    apply(rules, SeccompAction::Allow, answer)
}

fn apply(rules: Rules, others: SeccompAction, listed: SeccompAction) -> io::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, others, listed, arch).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    apply_filter_all_threads(&program)
        .map_err(|error| io::Error::other(format!("seccomp refused its filter: {error}")))
}

fn report_forbidden() -> io::Result<()> {
    // SAFETY: an action of zeros is a valid one, and the handler keeps to what a handler may do.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_forbidden as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        check(libc::sigaction(
            libc::SIGSYS,
            &raw const action,
            ptr::null_mut(),
        ))
    }
}

/// The part of `siginfo_t` that SIGSYS fills, as the kernel's headers lay it out.
#[repr(C)]
struct Forbidden {
    signal: libc::c_int,
    errno: libc::c_int,
    code: libc::c_int,
    address: *const c_void,
    call: libc::c_int,
    arch: libc::c_uint,
}

extern "C" fn on_forbidden(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel gives a filled struct to a handler with SA_SIGINFO; for SIGSYS it is this one.
    let call = unsafe { (*info.cast::<Forbidden>()).call };
    let frame = raw_head(0, Kind::Forbidden as u32, call.cast_unsigned());
    // SAFETY: both may be called in a handler; the frame lives on this stack.
    unsafe {
        libc::write(SOCKET, frame.as_ptr().cast(), frame.len());
        libc::_exit(EXIT_FORBIDDEN);
    }
}
