//! End-to-end tests: the real binary with the real plugins against the provider simulator.
//!
//! One module a subject. Every test has its own daemon, folder, ports and simulator, so they run
//! in any order and side by side.

mod api;
mod backfill;
mod chaos;
mod chat;
mod chat_crash;
mod chat_guard;
mod chat_page;
mod cli;
mod commands;
mod consent;
mod crash;
mod damage;
mod doctor;
mod email;
mod email_resend;
mod forms;
mod health;
mod inbound;
mod inbound_text;
mod limits;
mod mail_in;
mod mail_out;
mod media;
mod media_memory;
mod media_out;
mod merge;
mod notifications;
mod orphans;
mod outage;
mod outbound;
mod outbound_trouble;
mod pace;
mod plugins;
mod powercut;
mod purity;
mod recorded;
mod reload;
mod routes;
mod segments;
mod shutdown;
mod stage;
mod statuses;
mod templates;
mod twilio_whatsapp;
mod vonage;
mod vonage_messages;
mod vonage_send;
mod webhook;
mod whatsapp;
mod whatsapp_kinds;
mod whatsapp_out;
mod window;
