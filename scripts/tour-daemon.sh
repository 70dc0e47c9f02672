# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # root comes from scripts/tour, daemon_pid goes there
#
# The tour's own daemon: where it lives, how it is started, and how all of it is taken away again. Sourced by
# scripts/tour, which sets `root`; it prints no part of the tour and knows no requests but the ones that end guests.

system=$(uname -s)

# A short path: the kernel takes 107 bytes for a socket, and each guest has sockets below this folder too.
folder=${XDG_RUNTIME_DIR:-/tmp}
[[ -d $folder && -w $folder && ${#folder} -lt 40 ]] || folder=/tmp
folder=$folder/berth-tour-$EUID
socket=$folder/berth.sock
state=$folder/state
daemon_log=$folder/berthd.log
record=$folder/daemon  # "PID START-TIME EXECUTABLE" of the daemon that runs now
namespace_record=$folder/namespace

start_time() { # start_time PID: when it began, or nothing; with the pid it names one process for good
  [[ $system == Linux ]] || { ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '-' || true; return; }
  # The command's name, in brackets, may hold spaces.
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $20 }' || true
}

executable() { # executable PID: the file it runs, also when a build has replaced it since
  local path
  [[ $system == Linux ]] || { ps -o comm= -p "$1" 2>/dev/null || true; return; }
  path=$(readlink "/proc/$1/exe" 2>/dev/null) || return 0
  echo "${path% (deleted)}"
}

is_alive() { # is_alive PID: also false for one that has ended and waits for its parent
  if [[ $system != Linux ]]; then
    [[ $(ps -o state= -p "$1" 2>/dev/null || true) == [!Z]* ]]
    return
  fi
  [[ -e /proc/$1/stat && $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) != Z* ]]
}

# Prints the pid of the daemon of this or an earlier tour if it still runs. A pid that has since been given to another
# process differs in start time or executable.
recorded_daemon() {
  local pid started path
  [[ -f $record ]] || return 0
  read -r pid started path <"$record" || return 0
  if is_alive "$pid" && [[ $(start_time "$pid") == "$started" && $(executable "$pid") == "$path" ]]; then
    echo "$pid"
  fi
}

# Processes of the tour that outlive a daemon, by design: guests and the DHCP server. Each names the tour's folder on its
# command line, and only programs that berthd starts are looked at.
leftovers() {
  local process
  [[ $system == Linux ]] || { pgrep -U "$EUID" -f "berth-machine run $folder/" || true; return; }
  for process in /proc/[0-9]*; do
    [[ -O $process ]] || continue
    case $(executable "${process##*/}") in
      */qemu-system-* | */dnsmasq | */berth-machine) ;;
      *) continue ;;
    esac
    # A match is all that is wanted: grep -q would end early and break the pipe.
    if tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -F "$folder/" >/dev/null; then
      echo "${process##*/}"
    fi
  done
  [[ ! -f $namespace_record ]] || ip netns pids "$(<"$namespace_record")" 2>/dev/null || true
}

end_processes() { # end_processes PID…: asks, waits up to 5 s, then insists
  local pid turn
  [[ $# -gt 0 ]] || return 0
  kill "$@" 2>/dev/null || true
  for ((turn = 0; turn < 50; ++turn)); do
    local alive=no
    for pid in "$@"; do ! is_alive "$pid" || alive=yes; done
    [[ $alive == yes ]] || return 0
    sleep 0.1
  done
  kill -KILL "$@" 2>/dev/null || true
}

# A folder of a known name in a shared /tmp: it must be ours, and no link.
make_folder() {
  mkdir -m 700 "$folder" 2>/dev/null || true
  [[ -d $folder && -O $folder && ! -L $folder ]] || { echo "tour: $folder belongs to somebody else" >&2 && exit 1; }
  chmod 700 "$folder"
}

# As root the daemon has a network namespace of its own: its bridge, its DHCP server and its addresses touch nothing else.
make_namespace() {
  local name=berth-tour-$$
  [[ $system == Linux ]] || return 0
  [[ $EUID == 0 ]] && ip netns add "$name" 2>/dev/null || return 0
  echo "$name" >"$namespace_record"
  ip -n "$name" link set lo up
}

answers() { # answers PATH: true when the daemon answers it with 200
  [[ $(curl -s --max-time 2 -o /dev/null -w '%{http_code}' --unix-socket "$socket" "http://berth$1" || true) == 200 ]]
}

start_daemon() {
  local inside=(setsid) mac=() pid turn
  [[ $system == Linux ]] || inside=(nohup) # macOS has no setsid(1)
  [[ $system != Linux || ! -x $root/build/berth-machine ]] || mac=(--lookalike-dir "$folder/mac")
  [[ ! -f $namespace_record ]] || inside+=(ip netns exec "$(<"$namespace_record")")
  # In its own session: neither Ctrl-C nor the end of the terminal reaches it. Each command here replaces the one before,
  # so that $! is berthd.
  "${inside[@]}" "$root/build/berthd" --state-dir "$state" --socket "$socket" \
    ${mac[@]+"${mac[@]}"} >>"$daemon_log" 2>&1 </dev/null &
  pid=$!
  for ((turn = 0; turn < 200; ++turn)); do
    is_alive "$pid" || break
    if answers /healthz; then
      echo "$pid $(start_time "$pid") $(executable "$pid")" >"$record"
      disown "$pid" # so that bash says nothing when it is killed
      daemon_pid=$pid
      return 0
    fi
    sleep 0.05
  done
  end_processes "$pid"
  return 1
}

force_guests_off() { # while a daemon is there it is asked, so that nothing is cut off behind its back
  local id
  for id in $(curl -s --max-time 5 --unix-socket "$socket" http://berth/v1/vms | jq -r '.items[]?.id' 2>/dev/null || true); do
    curl -s --max-time 10 -o /dev/null --unix-socket "$socket" -X POST -H 'Content-Type: application/json' \
      -H 'Prefer: wait=8' -d '{"mode":"force"}' "http://berth/v1/vms/$id/stop" || true
  done
}

# Ends the daemon, its guests and its network, and removes what they wrote. Nothing to do is fine.
remove_everything() {
  local pid pids
  [[ -d $folder && -O $folder && ! -L $folder ]] || return 0
  pid=$(recorded_daemon)
  if [[ -n $pid ]]; then
    force_guests_off
    end_processes "$pid"
  fi
  pids=$(leftovers | sort -u)
  # shellcheck disable=SC2086 # numbers
  end_processes $pids
  [[ ! -f $namespace_record ]] || ip netns delete "$(<"$namespace_record")" 2>/dev/null || true
  rm -rf "$folder"
}
