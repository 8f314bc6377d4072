// Command run makes the first account of a deployed stack and prints its
// credentials, once. CORE_TABLE names the stack's table; AWS credentials and
// region come from the environment.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/dialplane/dialplane/scripts/bootstrap"
	"github.com/dialplane/dialplane/shared/table"
)

func main() {
	var spec bootstrap.Spec
	flag.StringVar(&spec.AccountName, "name", "Master", "name of the account")
	flag.StringVar(&spec.Realm, "realm", "", "SIP domain of the account's phones, such as sip.example.com")
	flag.StringVar(&spec.Username, "username", "admin", "the administrator's user name")
	flag.Parse()
	if spec.Realm == "" {
		fmt.Fprintln(os.Stderr, "bootstrap: -realm is missing: the SIP domain of the account's phones, such as sip.example.com")
		os.Exit(2)
	}
	made, err := bootstrap.Account(context.Background(), table.MustOpenCore(), spec, time.Now())
	if err != nil {
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
	fmt.Printf("account_id: %s\naccount_name: %s\nrealm: %s\nusername: %s\npassword: %s\napi_key: %s\n",
		made.Account.ID, made.Account.Name, made.Account.Realm, made.User.Username, made.Password, made.Account.APIKey)
}
