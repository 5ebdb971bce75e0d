#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o31_handlers_in_flight).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O31  1.4: requests to event handlers without waiting, and a code change that
%% reaches the handlers of one module only.
run() ->
    {ok, P} = gen_event:start(), name(P, events),
    gen_event:add_handler(P, ?MODULE, one), gen_event:add_handler(P, {?MODULE, 2}, two),
    ev(obs, answered, gen_event:receive_response(gen_event:send_request(P, {?MODULE, 2}, hi), 1000)),
    ev(obs, missing, gen_event:wait_response(gen_event:send_request(P, {?MODULE, 3}, hi), 1000)),
    ev(obs, leaving, gen_event:receive_response(gen_event:send_request(P, {?MODULE, 2}, leave), 1000)),
    ev(obs, left, gen_event:which_handlers(P)),
    sys:suspend(P),
    R1 = gen_event:send_request(P, ?MODULE, hi), R2 = gen_event:send_request(P, ?MODULE, hi),
    ev(obs, patient, gen_event:wait_response(R1, 20)), ev(obs, impatient, gen_event:receive_response(R2, 20)),
    ev(obs, change, sys:change_code(P, ?MODULE, 1, x)), ev(obs, stranger, sys:change_code(P, nobody, 1, x)),
    sys:resume(P),
    ev(obs, later, gen_event:wait_response(R1, 1000)), ev(obs, dropped, drain()),
    C = gen_event:send_request(P, nope, hi, second, gen_event:send_request(P, ?MODULE, hi, first, gen_event:reqids_new())),
    ev(obs, collected, lists:sort(collect(C))),
    sys:suspend(P), R3 = gen_event:send_request(P, ?MODULE, hi), exit(P, kill),
    ev(obs, killed, gen_event:receive_response(R3, 1000)),
    ev(obs, dead, gen_event:receive_response(gen_event:send_request(P, ?MODULE, hi), 1000)).
collect(C) ->
    case gen_event:receive_response(C, 1000, true) of
        no_request -> [];
        {Response, Label, C1} -> [{Label, Response} | collect(C1)]
    end.
init(S) -> {ok, S}.
handle_event(_, S) -> {ok, S}.
handle_call(hi, S) -> {ok, {hi, S}, S};
handle_call(leave, _) -> {remove_handler, bye}.
terminate(R, S) -> ev(handler, terminate, {R, S}).
code_change(Vsn, S, Extra) -> {ok, {S, Vsn, Extra}}.


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
