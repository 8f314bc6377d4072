package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// freeTries bounds the search for a port that is free for both UDP and TCP.
const freeTries = 20

// listen opens the TCP address that the environment variable sets. A taken
// address is a sentence that says what to do.
func listen(ctx context.Context, variable, addr string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, addrError(variable, addr, err)
	}
	return l, nil
}

// claimTCP returns addr with a port that is free for TCP now: addr's own, or
// any if that is 0.
func claimTCP(ctx context.Context, variable, addr string) (string, error) {
	l, err := listen(ctx, variable, addr)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// claimSIP is claimTCP for UDP and TCP.
func claimSIP(ctx context.Context, variable, addr string) (string, error) {
	var c net.ListenConfig
	for try := 1; ; try++ {
		claimed, err := claimTCP(ctx, variable, addr)
		if err != nil {
			return "", err
		}
		packets, err := c.ListenPacket(ctx, "udp", claimed)
		if err == nil {
			return claimed, packets.Close()
		}
		if claimed == addr || try == freeTries {
			return "", addrError(variable, addr, err)
		}
	}
}

func addrError(variable, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is already in use: stop what listens there, or set %s to another address", addr, variable)
	}
	return fmt.Errorf("%s is %s: %w", variable, addr, err)
}

// portOf returns the port number of host:port.
func portOf(addr string) (int, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
