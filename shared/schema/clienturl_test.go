package schema

import "testing"

func TestClientURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"http://example.com":             true,
		"https://example.com:8443/a?b=c": true,
		"HTTPS://user@EXAMPLE.com/":      true,
		"http://8.8.8.8/":                true,
		"http://[2606:4700::1111]/":      true,
		"http://10.example.com/":         true,
		"http://xn--bcher-kva.example/":  true,
		"http://localhost.example.com/":  true,
		"":                               false,
		"example.com":                    false,
		"//example.com":                  false,
		"ftp://example.com":              false,
		"http:":                          false,
		"http://":                        false,
		"http:///path":                   false,
		"http://:80/":                    false,
		"http:example.com":               false,
		"http://exa mple.com":            false,
		"http://example.com/\r\nX: y":    false,
		"http://localhost":               false,
		"http://LOCALHOST.:80/":          false,
		"http://a.localhost/":            false,
		"http://127.0.0.1/":              false,
		"http://127.0.0.1./":             false,
		"http://good.example@127.0.0.1/": false,
		"http://127.1/":                  false,
		"http://2130706433/":             false,
		"http://0x7f.0.0.1/":             false,
		"http://0177.0.0.1/":             false,
		"http://127.0.0.0x1/":            false,
		"http://0.0.0.0/":                false,
		"http://10.1.2.3/":               false,
		"http://172.16.0.1/":             false,
		"http://192.168.1.1/":            false,
		"http://169.254.169.254/latest":  false,
		"http://100.64.0.1/":             false,
		"http://192.0.0.8/":              false,
		"http://198.18.0.1/":             false,
		"http://224.0.0.1/":              false,
		"http://240.0.0.1/":              false,
		"http://255.255.255.255/":        false,
		"http://[::]/":                   false,
		"http://[::1]/":                  false,
		"http://[::127.0.0.1]/":          false,
		"http://[::ffff:10.0.0.1]/":      false,
		"http://[64:ff9b::10.0.0.1]/":    false,
		"http://[2002:a00:1::]/":         false,
		"http://[fe80::1%25eth0]/":       false,
		"http://[fd00::1]/":              false,
		"http://[ff02::1]/":              false,
	} {
		if got := isClientURL(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
