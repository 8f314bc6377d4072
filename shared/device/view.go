package device

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/listing"
)

// View returns the document as clients see it: with its id.
func (d Device) View() document.Object {
	out := maps.Clone(d.Doc)
	out["id"] = d.ID
	return out
}

// Text returns the document as canonical JSON, which is how it is stored.
func (d Device) Text() string {
	if d.text == "" {
		return string(document.Canonical(d.Doc))
	}
	return d.text
}

// JSON returns View as JSON.
func (d Device) JSON() json.RawMessage {
	id := `{"id":"` + d.ID + `"` // ident.Valid ids need no escapes
	text := d.Text()
	if text == "{}" {
		return json.RawMessage(id + "}")
	}
	return json.RawMessage(id + "," + text[1:])
}

// Revision names this very version of the document, in the shape of a CouchDB
// revision: "3-" and 32 hex digits.
func (d Device) Revision() string {
	sum := md5.Sum([]byte(d.Text()))
	return strconv.FormatInt(d.Rev, 10) + "-" + hex.EncodeToString(sum[:])
}

// Summary returns the device as it stands in GET /devices (cb_devices,
// crossbar_listing). Keys without a value are left out.
func (d Device) Summary() document.Object {
	out := d.short()
	if username := document.Text(d.Doc, "sip", "username"); username != "" {
		out["username"] = username
	}
	if mobile, ok := d.Doc["mobile"]; ok {
		out["mobile"] = mobile
	}
	out["flags"] = []any{}
	if flags, ok := d.Doc["flags"]; ok {
		out["flags"] = flags
	}
	return out
}

// UserSummary returns the device as it stands in GET /users/{id}/devices.
func (d Device) UserSummary(userID string) document.Object {
	out := d.short()
	out["hotdesked"] = document.Text(d.Doc, "owner_id") != userID
	return out
}

// short is what both listings share.
func (d Device) short() document.Object {
	out := document.Object{
		"id":          d.ID,
		"enabled":     document.Flag(d.Doc, true, "enabled"),
		"device_type": "sip_device",
		"mac_address": document.Text(d.Doc, "mac_address"),
	}
	for _, key := range []string{"name", "owner_id", "device_type", "call_recording"} {
		if value, ok := d.Doc[key]; ok {
			out[key] = value
		}
	}
	return out
}

// Subject returns the device as list filters see it.
func (d Device) Subject() listing.Subject {
	return listing.Subject{Doc: d.View(), Created: d.Created, Modified: d.Modified}
}
