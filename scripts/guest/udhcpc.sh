#!/bin/sh
# Called by udhcpc with the event as its argument and the lease in the environment: configures the interface.
# shellcheck disable=SC2154 # interface, ip, mask, router, dns and domain come from udhcpc
case "$1" in
deconfig)
  ip -4 addr flush dev "$interface"
  ;;
bound | renew)
  ip -4 addr replace "$ip/${mask:-24}" dev "$interface"
  for gateway in $router; do
    ip route replace default via "$gateway" dev "$interface"
    break
  done
  : >/etc/resolv.conf
  for server in $dns; do
    echo "nameserver $server" >>/etc/resolv.conf
  done
  # A new line first: the shell may have printed its prompt.
  [ "$1" = bound ] && printf '\nberth-guest: address=%s\n' "$ip" >"$CONSOLE"
  ;;
esac
exit 0
