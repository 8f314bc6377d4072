package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/document"
)

// newDevice creates a device with SIP credentials of its own and returns its
// id. It is deleted when the test ends, if it is still there.
func newDevice(t testing.TB, c client, username string) string {
	t.Helper()
	got := c.call("PUT", devices(), document.Object{"data": document.Object{
		"name": "phone of " + username, "sip": document.Object{"username": username, "password": "secret-" + username}}}, 201)
	id := got.data("id").(string)
	removeLater(t, c, id)
	return id
}

// removeLater deletes a device when the test ends, so that its names are free
// for the next run.
func removeLater(t testing.TB, c client, id string) {
	t.Cleanup(func() {
		r, err := http.NewRequest("DELETE", system.api+"/v2"+devices()+"/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", c.token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		if response.StatusCode != 200 && response.StatusCode != 404 {
			t.Errorf("delete device: got %d", response.StatusCode)
		}
	})
}

// registered reports whether the device is in the status list.
func registered(c client, id string) bool {
	list := c.call("GET", devices()+"/status", nil, 200).data().([]any)
	for _, item := range list {
		if row := item.(document.Object); row["device_id"] == id && row["registered"] == true {
			return true
		}
	}
	return false
}

// receipts returns the device's commands, newest first.
func receipts(t testing.TB, c client, id string) []command.Receipt {
	t.Helper()
	var body struct{ Data []command.Receipt }
	if err := json.Unmarshal([]byte(c.call("GET", devices()+"/"+id+"/commands", nil, 200).text), &body); err != nil {
		t.Fatal(err)
	}
	return body.Data
}

// awaitReceipt waits until the newest command is in a final state and returns
// it.
func awaitReceipt(t testing.TB, c client, id string) command.Receipt {
	t.Helper()
	var newest command.Receipt
	eventually(t, func() string {
		newest = receipts(t, c, id)[0]
		if newest.State.Final() {
			return ""
		}
		return fmt.Sprintf("command is %s", newest.State)
	})
	return newest
}

func TestProvisionRegisterReboot(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			c := login(t)
			username := "walk-" + network
			id := newDevice(t, c, username)
			p := newPhone(t, network, system.credentials["realm"], username, "secret-"+username)

			ok := p.register(600)
			if !strings.HasPrefix(ok, "SIP/2.0 200") {
				t.Fatalf("got %s", ok)
			}
			if contact := header(ok, "Contact"); !strings.Contains(contact, p.conn.LocalAddr().String()) || !strings.Contains(contact, "expires=") {
				t.Errorf("got contact %q", contact)
			}
			if !registered(c, id) {
				t.Error("status does not list the device")
			}

			sync := c.call("POST", devices()+"/"+id+"/sync", nil, 200)
			if sync.data() != "sync request sent" {
				t.Errorf("got %v", sync.data())
			}
			if event := header(p.notified(), "Event"); event != "check-sync" {
				t.Errorf("got event %q", event)
			}
			receipt := awaitReceipt(t, c, id)
			if receipt.ID != sync.body["command_id"] || receipt.State != command.Delivered || len(receipt.Deliveries) != 1 {
				t.Fatalf("got receipt %+v", receipt)
			}
			if d := receipt.Deliveries[0]; d.Status != 200 || d.Transport != strings.ToUpper(network) || d.Received != p.conn.LocalAddr().String() {
				t.Errorf("got delivery %+v", d)
			}

			c.call("PUT", devices()+"/"+id, `{"action":"notify","data":{"event":"resync","expires_s":0}}`, 201) // now or never
			if event := header(p.notified(), "Event"); event != "resync" {
				t.Errorf("got event %q", event)
			}

			if gone := p.register(0); !strings.HasPrefix(gone, "SIP/2.0 200") || header(gone, "Contact") != "" {
				t.Errorf("got %s", gone)
			}
			if registered(c, id) {
				t.Error("status lists the device after it left")
			}

			if back := p.register(600); !strings.HasPrefix(back, "SIP/2.0 200") {
				t.Fatalf("got %s", back)
			}
			c.call("DELETE", devices()+"/"+id, nil, 200)
			eventually(t, func() string {
				if registered(c, id) {
					return "status lists the deleted device"
				}
				return ""
			})
			p.nonce = ""
			if refused := p.register(600); strings.HasPrefix(refused, "SIP/2.0 200") {
				t.Errorf("the deleted device registered: %s", refused)
			}
		})
	}
}

func TestStatusForgetsAPhoneWhoseTimeRanOut(t *testing.T) {
	t.Parallel()
	c := login(t)
	id := newDevice(t, c, "brief")
	p := newPhone(t, "udp", system.credentials["realm"], "brief", "secret-brief")
	if ok := p.register(2); !strings.HasPrefix(ok, "SIP/2.0 200") {
		t.Fatalf("got %s", ok)
	}
	if !registered(c, id) {
		t.Fatal("status does not list the device")
	}
	eventually(t, func() string {
		if registered(c, id) {
			return "status lists a device whose registration ran out"
		}
		return ""
	})
}

func TestChangedPasswordCutsThePhoneOffAfterItsReboot(t *testing.T) {
	t.Parallel()
	c := login(t)
	id := newDevice(t, c, "changed")
	p := newPhone(t, "udp", system.credentials["realm"], "changed", "secret-changed")
	p.register(600)
	c.call("PATCH", devices()+"/"+id, `{"data":{"sync":true,"sip":{"password":"another-secret"}}}`, 200)
	if event := header(p.notified(), "Event"); event != "check-sync" {
		t.Errorf("got event %q", event)
	}
	eventually(t, func() string {
		if registered(c, id) {
			return "status lists a device whose password changed"
		}
		return ""
	})
	if old := p.register(600); strings.HasPrefix(old, "SIP/2.0 200") {
		t.Error("the old password is still good")
	}
	p.password, p.nonce = "another-secret", ""
	if fresh := p.register(600); !strings.HasPrefix(fresh, "SIP/2.0 200") {
		t.Errorf("got %s", fresh)
	}
}

func TestDisabledDeviceIsCutOff(t *testing.T) {
	t.Parallel()
	c := login(t)
	id := newDevice(t, c, "disabled")
	p := newPhone(t, "udp", system.credentials["realm"], "disabled", "secret-disabled")
	p.register(600)
	c.call("PATCH", devices()+"/"+id, `{"data":{"enabled":false}}`, 200)
	eventually(t, func() string {
		if registered(c, id) {
			return "status lists a disabled device"
		}
		return ""
	})
	if again := p.register(600); strings.HasPrefix(again, "SIP/2.0 200") {
		t.Error("a disabled device registered")
	}
}

func TestNotifyWaitsForAPhoneThatIsOffline(t *testing.T) {
	t.Parallel()
	c := login(t)
	id := newDevice(t, c, "offline")
	c.call("POST", devices()+"/"+id+"/sync?reboot=true", nil, 200)
	p := newPhone(t, "tcp", system.credentials["realm"], "offline", "secret-offline")
	p.register(600)
	if event := header(p.notified(), "Event"); event != "check-sync;reboot=true" {
		t.Errorf("got event %q", event)
	}
	if receipt := awaitReceipt(t, c, id); receipt.State != command.Delivered {
		t.Errorf("got receipt %+v", receipt)
	}
}

func TestReceiptTellsWhatThePhoneAnswered(t *testing.T) {
	t.Parallel()
	c := login(t)
	id := newDevice(t, c, "refuses")
	p := newPhone(t, "udp", system.credentials["realm"], "refuses", "secret-refuses")
	p.notifyStatus = "489 Bad Event"
	p.register(600)
	c.call("POST", devices()+"/"+id+"/notify", `{"action":"notify","data":{"data":{"event":"nonsense","body":{"content_type":"text/plain","data":"hello"}}}}`, 200)
	notify := p.notified()
	if header(notify, "Content-Type") != "text/plain" || !strings.HasSuffix(notify, "\r\n\r\nhello") {
		t.Errorf("got %s", notify)
	}
	receipt := awaitReceipt(t, c, id)
	if receipt.State != command.Failed || receipt.Event != "nonsense" || len(receipt.Deliveries) != 1 ||
		receipt.Deliveries[0].Status != 489 || receipt.Deliveries[0].Reason != "Bad Event" {
		t.Errorf("got receipt %+v", receipt)
	}
}
