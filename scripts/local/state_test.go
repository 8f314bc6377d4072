package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStateIsForOneRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	first, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockState(dir); err == nil || !strings.Contains(err.Error(), dir+" is in use by another run: stop that, or set STATE_DIR") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := lockState(dir)
	if err != nil {
		t.Fatalf("the lock is not given back: %v", err)
	}
	second.Close()
}

func TestCredentialsAreKeptForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none, err := loadCredentials(dir)
	if err != nil || none != (Credentials{}) {
		t.Errorf("got %+v, %v before the first run", none, err)
	}
	want := Credentials{AccountID: "a", AccountName: "n", Realm: "r", Username: "u", Password: "p", APIKey: "k", DeviceID: "d", SIPUsername: "s", SIPPassword: "w"}
	if err := storeCredentials(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := loadCredentials(dir); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	path := filepath.Join(dir, "credentials.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkJSON(t, data, `{"account_id":"a","account_name":"n","realm":"r","username":"u","password":"p","api_key":"k","device_id":"d","sip_username":"s","sip_password":"w"}`)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadCredentials(dir); err == nil || !strings.Contains(err.Error(), "to start anew") {
		t.Errorf("a broken file: got %v", err)
	}
}

func TestDeadLettersAreLines(t *testing.T) {
	t.Parallel()
	f := &deadLetterFile{path: filepath.Join(t.TempDir(), deadLettersName)}
	var letter deadLetter
	letter.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	letter.Batch.StartSequence, letter.Batch.Size = "1", 2
	for range 2 {
		if err := f.add(letter); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 2 || lines[0] != lines[1] {
		t.Fatalf("got %q, want the same line twice", lines)
	}
	checkJSON(t, []byte(lines[0]), `{"requestContext":{"functionArn":"","condition":"","approximateInvokeCount":0},"version":"",
		"timestamp":"2026-01-02T03:04:05Z","DDBStreamBatchInfo":{"shardId":"","startSequenceNumber":"1","endSequenceNumber":"",
		"approximateArrivalOfFirstRecord":"0001-01-01T00:00:00Z","approximateArrivalOfLastRecord":"0001-01-01T00:00:00Z","batchSize":2,"streamArn":""}}`)
}

func TestScreenShowsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	info := Info{APIURL: "http://127.0.0.1:8000/v2", SIPAddr: "0.0.0.0:5060", Credentials: Credentials{
		AccountID: "acc", AccountName: "Demo", Realm: "demo.localhost", Username: "admin", Password: "pw", APIKey: "key", DeviceID: "dev",
		SIPUsername: "phone1", SIPPassword: "sippw"}}
	got := screen(info)
	for _, want := range []string{"http://127.0.0.1:8000/v2", "0.0.0.0:5060", "acc", "Demo", "demo.localhost", "admin", "pw", "key", "dev", "phone1", "sippw",
		"b34e79fd2f71014f063773715e8dfc47", // md5 of admin:pw
		"/v2/user_auth", "/accounts/acc/devices/status", "/accounts/acc/devices/dev/sync"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the screen:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "curl "); n != 3 {
		t.Errorf("got %d curl lines, want 3", n)
	}
	if got, want := readyLine(info), "ready: API http://127.0.0.1:8000/v2  SIP 0.0.0.0:5060 (UDP, TCP)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
