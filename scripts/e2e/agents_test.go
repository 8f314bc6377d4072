package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/command"
)

// userAgent returns the path of a real user agent. Without it the test is
// skipped, except in CI, where it must be there.
func userAgent(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: install %s", name, debianPackage)
		}
		t.Skipf("%s is missing: install %s to run this test", name, debianPackage)
	}
	return path
}

// TestBaresip registers baresip by UDP and by TCP and sends it a check-sync.
// baresip 1.0 knows NOTIFY only inside its own subscriptions and answers 481;
// the receipt must say so.
func TestBaresip(t *testing.T) {
	t.Parallel()
	baresip := userAgent(t, "baresip", "baresip-core")
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			c := login(t)
			username := "baresip-" + network
			id := newDevice(t, c, username)
			startBaresip(t, baresip, network, username)
			eventually(t, func() string {
				if !registered(c, id) {
					return "baresip did not register"
				}
				return ""
			})
			c.call("POST", devices()+"/"+id+"/sync", nil, 200)
			receipt := awaitReceipt(t, c, id)
			if receipt.State != command.Failed || len(receipt.Deliveries) != 1 || receipt.Deliveries[0].Status != 481 ||
				receipt.Deliveries[0].Transport != strings.ToUpper(network) {
				t.Errorf("got receipt %+v", receipt)
			}
		})
	}
}

// startBaresip runs baresip with one account until the test ends.
func startBaresip(t testing.TB, path, network, username string) {
	t.Helper()
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(freeAddr())
	if err != nil {
		t.Fatal(err)
	}
	modules := "/usr/lib/baresip/modules"
	config := fmt.Sprintf("module_path %s\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\nsip_listen 127.0.0.1:%s\nnet_interface 127.0.0.1\n", modules, port)
	account := fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=secret-%s;outbound=\"sip:%s;transport=%s\";regint=60\n",
		username, system.credentials["realm"], network, username, username, system.sipAddr, network)
	for name, text := range map[string]string{"config": config, "accounts": account, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "-f", dir, "-s") // shows the messages
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var said strings.Builder
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
		}
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		<-done
		timer.Stop()
		cmd.Wait()
		if t.Failed() {
			t.Logf("baresip said:\n%s", said.String())
		}
	})
}

// TestSipp runs a whole phone's life in sipp: challenge, registration, NOTIFY
// answered with 200, and leaving.
func TestSipp(t *testing.T) {
	t.Parallel()
	sipp := userAgent(t, "sipp", "sip-tester")
	for _, transport := range []struct{ network, flag string }{{"udp", "u1"}, {"tcp", "t1"}} {
		t.Run(transport.network, func(t *testing.T) {
			t.Parallel()
			c := login(t)
			username := "sipp-" + transport.network
			id := newDevice(t, c, username)
			scenario := strings.NewReplacer("{user}", username, "{realm}", system.credentials["realm"], "{password}", "secret-"+username).Replace(sippPhone)
			dir := t.TempDir()
			for file, text := range map[string]string{"phone.xml": scenario, "notified.xml": sippNotified} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, port, err := net.SplitHostPort(freeAddr())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(sipp, system.sipAddr, "-sf", "phone.xml", "-oocsf", "notified.xml", "-m", "1", "-t", transport.flag,
				"-i", "127.0.0.1", "-p", port, "-timeout", "30s", "-timeout_error", "-trace_err", "-error_file", "errors")
			cmd.Dir = dir
			finished := make(chan error, 1)
			var out []byte
			go func() {
				var err error
				out, err = cmd.CombinedOutput()
				finished <- err
			}()
			eventually(t, func() string {
				if !registered(c, id) {
					return "sipp did not register"
				}
				return ""
			})
			c.call("POST", devices()+"/"+id+"/sync", nil, 200)
			if err := <-finished; err != nil {
				errors, _ := os.ReadFile(filepath.Join(dir, "errors"))
				t.Fatalf("sipp: %v\n%s\n%s", err, errors, out)
			}
			if receipt := awaitReceipt(t, c, id); receipt.State != command.Delivered || receipt.Deliveries[0].Status != 200 {
				t.Errorf("got receipt %+v", receipt)
			}
			eventually(t, func() string {
				if registered(c, id) {
					return "status lists the device after it left"
				}
				return ""
			})
		})
	}
}

// sippNotified answers the NOTIFY, which has a Call-ID of its own and so comes
// outside of sipp's call.
const sippNotified = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="notified">
  <recv request="NOTIFY">
    <action><ereg regexp="check-sync" search_in="hdr" header="Event:" check_it="true" assign_to="event" /></action>
  </recv>
  <Reference variables="event" />
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

// sippPhone registers, stays for three seconds, and leaves. sipp answers the
// challenge that it meets first.
const sippPhone = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="phone">
  <send retrans="500"><![CDATA[
REGISTER sip:{realm} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{realm}>;tag=[call_number]
To: <sip:{user}@{realm}>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Expires: 120
Content-Length: 0

]]></send>
  <recv response="401" auth="true" />
  <send retrans="500"><![CDATA[
REGISTER sip:{realm} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{realm}>;tag=[call_number]
To: <sip:{user}@{realm}>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Expires: 120
[authentication username={user} password={password}]
Content-Length: 0

]]></send>
  <recv response="200" />
  <pause milliseconds="3000" />
  <send retrans="500"><![CDATA[
REGISTER sip:{realm} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{realm}>;tag=[call_number]
To: <sip:{user}@{realm}>
Call-ID: [call_id]
CSeq: 3 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Expires: 0
[authentication username={user} password={password}]
Content-Length: 0

]]></send>
  <recv response="401" optional="true" auth="true" next="again" />
  <recv response="200" next="end" />
  <label id="again" />
  <send retrans="500"><![CDATA[
REGISTER sip:{realm} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{realm}>;tag=[call_number]
To: <sip:{user}@{realm}>
Call-ID: [call_id]
CSeq: 4 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Expires: 0
[authentication username={user} password={password}]
Content-Length: 0

]]></send>
  <recv response="200" />
  <label id="end" />
</scenario>
`
