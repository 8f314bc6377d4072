// Command sip-edge is an edge that only answers health checks. POST /die ends
// it.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Println(`{"msg":"edge drained"}`)
		os.Exit(0)
	}()
	http.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /die", func(http.ResponseWriter, *http.Request) {
		fmt.Println("these are my last words")
		os.Exit(7)
	})
	if err := http.ListenAndServe(os.Getenv("HEALTH_ADDR"), nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
