package main

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// screen is what a user needs to begin, without the last line.
func screen(info Info) string {
	c := info.Credentials
	sum := md5.Sum([]byte(c.Username + ":" + c.Password)) // what user_auth asks for
	digest := hex.EncodeToString(sum[:])
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("  API       %s", info.APIURL)
	line("  SIP       %s, UDP and TCP", info.SIPAddr)
	line("  account   %s  (name %s, realm %s)", c.AccountID, c.AccountName, c.Realm)
	line("  user      %s, password %s", c.Username, c.Password)
	line("  API key   %s", c.APIKey)
	line("  device    %s", c.DeviceID)
	line("  phone     sip:%s@%s, password %s", c.SIPUsername, c.Realm, c.SIPPassword)
	line("")
	line("Log in, list the registered phones, make the phone reload its settings:")
	line("")
	line(`  TOKEN=$(curl -s -X PUT %s/user_auth -H 'Content-Type: application/json' \`, info.APIURL)
	line(`    -d '{"data":{"credentials":"%s","account_name":"%s"}}' | sed 's/.*"auth_token":"\([^"]*\)".*/\1/')`, digest, c.AccountName)
	line(`  curl -H "X-Auth-Token: $TOKEN" %s/accounts/%s/devices/status`, info.APIURL, c.AccountID)
	line(`  curl -X POST -H "X-Auth-Token: $TOKEN" %s/accounts/%s/devices/%s/sync`, info.APIURL, c.AccountID, c.DeviceID)
	line("")
	return b.String()
}

// readyLine is the last line of the screen, for programs that wait for it.
func readyLine(info Info) string {
	return fmt.Sprintf("ready: API %s  SIP %s (UDP, TCP)", info.APIURL, info.SIPAddr)
}
